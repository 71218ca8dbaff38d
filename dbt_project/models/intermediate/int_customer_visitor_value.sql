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
        {{ customer_of('visitor_value') }} as customer_key,
        {{ month_of('visitor_value.day') }} as month,
        cast(sum(visitor_value.visitor_value) as decimal(18, 4)) as visitor_value
    from visitor_value
    left join account_visitors
        on visitor_value.visitor_key = account_visitors.visitor_key
    inner join refresh on visitor_value.day <= refresh.as_of_day
    group by
        {{ customer_of('visitor_value') }},
        {{ month_of('visitor_value.day') }}

)

select * from final
