with

payments as (

    select * from {{ ref('int_payments') }}

),

visitor_value as (

    select * from {{ ref('int_customer_visitor_value') }}

),

feeds as (

    select * from {{ ref('int_known_feeds') }}

),

components as (

    select
        customer_id,
        month,
        amount as economic_past_value,
        cast(0 as decimal(18, 4)) as visitor_value
    from payments

    union all

    select
        customer_id,
        month,
        cast(0 as decimal(18, 4)) as economic_past_value,
        visitor_value
    from visitor_value

),

summed as (

    select
        customer_id,
        month,
        cast(sum(economic_past_value) as decimal(18, 4)) as economic_past_value,
        cast(sum(visitor_value) as decimal(18, 4)) as visitor_value
    from components
    group by customer_id, month

),

final as (

    -- A component whose feed is not configured is unknown, not zero.
    select
        summed.customer_id,
        summed.month,
        case when feeds.has_payments then summed.economic_past_value end
            as economic_past_value,
        case when feeds.has_visitor_value then summed.visitor_value end
            as visitor_value
    from summed
    cross join feeds

)

select * from final
