with

months as (

    select * from {{ ref('int_months') }}

),

refresh as (

    select * from {{ source('run', 'refresh') }}

),

monthly as (

    select * from {{ ref('customer_value_monthly') }}

),

bills as (

    select * from {{ ref('visitor_value_daily') }}

),

value as (

    select * from {{ ref('customer_value') }}

),

published as (

    select * from {{ source('run', 'published_equity') }}

),

brought as (

    select
        month,
        -- Of a customer and month there is one row.
        count(*) as customer_count,
        cast(sum(economic_past_value) as decimal(18, 4)) as economic_past_value,
        cast(sum(visitor_value) as decimal(18, 4)) as visitor_value
    from monthly
    where coalesce(economic_past_value, 0) <> 0 or coalesce(visitor_value, 0) <> 0
    group by month

),

billed as (

    select
        {{ month_of('day') }} as month,
        cast(sum(billed_revenue) as decimal(18, 4)) as billed_revenue,
        cast(sum(unallocated_revenue) as decimal(18, 4)) as unallocated_revenue
    from bills
    group by {{ month_of('day') }}

),

expected as (

    -- What the customers of today are expected to bring, and their influence on others.
    select
        cast(sum(economic_future_value_low) as decimal(18, 4))
            as economic_future_value_low,
        cast(sum(economic_future_value) as decimal(18, 4)) as economic_future_value,
        cast(sum(economic_future_value_high) as decimal(18, 4))
            as economic_future_value_high,
        cast(sum(social_value) as decimal(18, 4)) as social_value
    from value

),

feeds as (

    select * from {{ ref('int_known_feeds') }}

),

by_month as (

    select
        months.month,
        months.is_complete_month,
        months.month = {{ month_of('refresh.as_of_day') }} as is_running_month,
        coalesce(brought.customer_count, 0) as customer_count,
        case
            when feeds.has_payments
                then coalesce(brought.economic_past_value, cast(0 as decimal(18, 4)))
        end as economic_past_value,
        case
            when feeds.has_visitor_value
                then coalesce(brought.visitor_value, cast(0 as decimal(18, 4)))
        end as visitor_value,
        case
            when feeds.has_visitor_value
                then coalesce(billed.unallocated_revenue, cast(0 as decimal(18, 4)))
        end as unallocated_revenue,
        case
            when feeds.has_visitor_value
                then coalesce(billed.billed_revenue, cast(0 as decimal(18, 4)))
        end as billed_revenue
    from months
    cross join refresh
    cross join feeds
    left join brought on months.month = brought.month
    left join billed on months.month = billed.month

),

running as (

    select
        *,
        cast(sum(economic_past_value) over so_far as decimal(18, 4))
            as economic_past_value_to_date,
        cast(sum(visitor_value) over so_far as decimal(18, 4)) as visitor_value_to_date
    from by_month
    window
        so_far as (
            order by month rows between unbounded preceding and current row
        )

),

with_future as (

    -- What was expected in an earlier month is what was published while it ran.
    select
        running.*,
        case
            when running.is_running_month then expected.economic_future_value_low
            else published.economic_future_value_low
        end as economic_future_value_low,
        case
            when running.is_running_month then expected.economic_future_value
            else published.economic_future_value
        end as economic_future_value,
        case
            when running.is_running_month then expected.economic_future_value_high
            else published.economic_future_value_high
        end as economic_future_value_high,
        case
            when running.is_running_month then expected.social_value
            else published.social_value
        end as social_value
    from running
    cross join expected
    left join published on running.month = published.month

),

final as (

    select
        month,
        is_complete_month,
        customer_count,
        economic_past_value,
        visitor_value,
        unallocated_revenue,
        billed_revenue,
        economic_past_value_to_date,
        visitor_value_to_date,
        economic_future_value_low,
        economic_future_value,
        economic_future_value_high,
        cast(
            economic_past_value_to_date + visitor_value_to_date + economic_future_value
            as decimal(18, 4)
        ) as customer_equity,
        social_value
    from with_future

)

select * from final
