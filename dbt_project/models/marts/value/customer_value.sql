with

customers as (

    select * from {{ ref('customers') }}

),

monthly as (

    select * from {{ ref('customer_value_monthly') }}

),

feeds as (

    select * from {{ ref('int_known_feeds') }}

),

summed as (

    select
        customer_id,
        sum(economic_past_value) as economic_past_value,
        sum(visitor_value) as visitor_value
    from monthly
    group by customer_id

),

components as (

    -- Unknown where the feed is not configured; a known zero where it is and has
    -- nothing of him.
    select
        customers.customer_id,
        customers.kind,
        case
            when feeds.has_payments
                then cast(coalesce(summed.economic_past_value, 0) as decimal(18, 4))
        end as economic_past_value,
        cast(null as decimal(18, 4)) as economic_future_value,
        case
            when feeds.has_visitor_value
                then cast(coalesce(summed.visitor_value, 0) as decimal(18, 4))
        end as visitor_value,
        cast(null as decimal(18, 4)) as social_value
    from customers
    cross join feeds
    left join summed on customers.customer_id = summed.customer_id

),

final as (

    select
        customer_id,
        kind,
        economic_past_value,
        economic_future_value,
        visitor_value,
        social_value,
        cast(
            economic_past_value + economic_future_value + visitor_value + social_value
            as decimal(18, 4)
        ) as engagement_value,
        cast(
            case
                when coalesce(
                        economic_past_value, economic_future_value,
                        visitor_value, social_value
                    ) is not null
                    then coalesce(economic_past_value, 0)
                        + coalesce(economic_future_value, 0)
                        + coalesce(visitor_value, 0)
                        + coalesce(social_value, 0)
            end as decimal(18, 4)
        ) as observed_value
    from components

)

select * from final
