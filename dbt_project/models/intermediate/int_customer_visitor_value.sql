with

visitor_value as (

    select * from {{ ref('int_visitor_value_days') }}

),

identity as (

    select * from {{ ref('int_identity') }}

),

refresh as (

    select * from {{ source('run', 'refresh') }}

),

final as (

    select
        coalesce(visitor_value.account_id, identity.customer_id) as customer_id,
        {{ month_of('visitor_value.day') }} as month,
        cast(sum(visitor_value.visitor_value) as decimal(18, 4)) as visitor_value
    from visitor_value
    inner join identity on visitor_value.visitor_id = identity.visitor_id
    inner join refresh on visitor_value.day <= refresh.as_of_day
    group by
        coalesce(visitor_value.account_id, identity.customer_id),
        {{ month_of('visitor_value.day') }}

)

select * from final
