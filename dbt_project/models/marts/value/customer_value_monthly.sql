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

months as (

    select * from {{ ref('int_months') }}

),

refresh as (

    select * from {{ source('run', 'refresh') }}

),

customers as (

    select
        customer_id,
        {{ surrogate_key('customer_id') }} as customer_key
    from {{ ref('customers') }}

),

closed as (

    -- Rows that the last published version holds of months that were over by then.
    select
        published.*,
        {{ surrogate_key('published.customer_id') }} as customer_key
    from {{ source('run', 'closed_values') }} as published
    inner join months
        on published.month = months.month and months.is_complete_month

),

closings as (

    -- Not from closed: what is read twice DuckDB would copy first.
    select
        published.month,
        min(published.closed_on) as closed_on
    from {{ source('run', 'closed_values') }} as published
    inner join months
        on published.month = months.month and months.is_complete_month
    group by published.month

),

components as (

    select
        customer_key,
        month,
        amount as economic_past_value,
        cast(0 as decimal(18, 4)) as visitor_value
    from payments

    union all

    select
        customer_key,
        month,
        cast(0 as decimal(18, 4)) as economic_past_value,
        visitor_value
    from visitor_value

),

summed as (

    select
        customer_key,
        month,
        cast(sum(economic_past_value) as decimal(18, 4)) as economic_past_value,
        cast(sum(visitor_value) as decimal(18, 4)) as visitor_value
    from components
    group by customer_key, month

),

known as (

    -- A component whose feed is not configured is unknown, not zero. Of who had
    -- something when a month closed a row stays, whatever is left of it.
    select
        coalesce(closed.customer_id, customers.customer_id) as customer_id,
        coalesce(summed.month, closed.month) as month,
        case when feeds.has_payments then coalesce(summed.economic_past_value, 0) end
            as economic_past_value,
        case when feeds.has_visitor_value then coalesce(summed.visitor_value, 0) end
            as visitor_value,
        closed.customer_id is not null as was_closed,
        closed.economic_past_value_at_close,
        closed.visitor_value_at_close
    from summed
    full join closed
        on summed.customer_key = closed.customer_key and summed.month = closed.month
    cross join feeds
    left join customers on summed.customer_key = customers.customer_key

),

final as (

    -- What a closed month was published with first stays. A row that came later had
    -- nothing then.
    select
        known.customer_id,
        known.month,
        known.economic_past_value,
        known.visitor_value,
        case
            when known.was_closed then known.economic_past_value_at_close
            when closings.closed_on is not null then cast(0 as decimal(18, 4))
            when months.is_complete_month then known.economic_past_value
        end as economic_past_value_at_close,
        case
            when known.was_closed then known.visitor_value_at_close
            when closings.closed_on is not null then cast(0 as decimal(18, 4))
            when months.is_complete_month then known.visitor_value
        end as visitor_value_at_close,
        coalesce(
            closings.closed_on,
            case when months.is_complete_month then refresh.as_of_day end
        ) as closed_on
    from known
    cross join refresh
    left join months on known.month = months.month
    left join closings on known.month = closings.month

)

select * from final
