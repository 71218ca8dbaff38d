with

visitor_value as (

    select * from {{ ref('int_visitor_value_days') }}

),

account_visitors as (

    select * from {{ ref('int_account_visitors') }}

),

refresh as (

    select * from {{ source('run', 'refresh') }}

),

final as (

    select
        coalesce(
            visitor_value.account_id,
            account_visitors.account_id,
            visitor_value.visitor_id
        ) as customer_id,
        {{ month_of('visitor_value.day') }} as month,
        cast(sum(visitor_value.visitor_value) as decimal(18, 4)) as visitor_value
    from visitor_value
    left join account_visitors
        on visitor_value.visitor_id = account_visitors.visitor_id
    inner join refresh on visitor_value.day <= refresh.as_of_day
    group by
        coalesce(
            visitor_value.account_id,
            account_visitors.account_id,
            visitor_value.visitor_id
        ),
        {{ month_of('visitor_value.day') }}

)

select * from final
