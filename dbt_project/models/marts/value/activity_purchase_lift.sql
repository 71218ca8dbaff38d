with

ratios as (

    select * from {{ ref('associate_purchases') }}

),

feeds as (

    select * from {{ ref('int_known_feeds') }}

),

refresh as (

    select * from {{ source('run', 'refresh') }}

),

final as (

    select
        ratios.activity,
        ratios.stratification,
        ratios.stratum,
        ratios.exposed_purchasers,
        ratios.exposed_customers,
        ratios.unexposed_purchasers,
        ratios.unexposed_customers,
        ratios.exposed_purchasers / nullif(cast(ratios.exposed_customers as double), 0)
            as exposed_share,
        ratios.unexposed_purchasers
        / nullif(cast(ratios.unexposed_customers as double), 0) as unexposed_share,
        ratios.association,
        ratios.lower_bound,
        ratios.upper_bound,
        ratios.e_value,
        ratios.e_value_of_limit,
        ratios.exposed_customers + ratios.unexposed_customers as n,
        ratios.block_count,
        refresh.as_of_day as last_day,
        ratios.method,
        case
            when ratios.exposed_customers is not null then ratios.reason
            when not feeds.has_events then 'no feed of events'
            when not feeds.has_purchases then 'no feed of payments or subscriptions'
            when ratios.stratification like 'prior%'
                then 'no account at risk with events of the 84 days that it takes'
            else 'no account at risk with events of the 56 days that it takes'
        end as reason
    from ratios
    cross join feeds
    cross join refresh

)

select * from final
