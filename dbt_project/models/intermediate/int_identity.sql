with

visitor_days as (

    select * from {{ ref('int_visitor_days') }}

),

refresh as (

    select * from {{ source('run', 'refresh') }}

),

visitors as (

    select
        visitor_days.visitor_id,
        count(distinct visitor_days.account_id) as account_count,
        min(visitor_days.account_id) as account_id
    from visitor_days
    cross join refresh
    where visitor_days.day <= refresh.as_of_day
    group by visitor_days.visitor_id

),

final as (

    select
        visitor_id,
        account_count,
        account_count > 1 as is_shared_device,
        -- Seen with two accounts or more, a device keeps its logged-out events to
        -- itself.
        case when account_count = 1 then account_id else visitor_id end as customer_id
    from visitors

)

select * from final
