{{
    config(
        materialized=days_at_a_time(),
        incremental_strategy='insert_overwrite',
        meta={'rewrites': [0, 0]},
    )
}}

with

bills as (

    select * from {{ ref('int_bills') }}
    where
        revenue <> 0
        and day in ({{ days_at_hand(0, 0) }})

),

visitor_days as (

    select * from {{ ref('int_visitor_days') }}
    where
        page_views > 0
        and day in ({{ days_at_hand(0, 0) }})

),

matched as (

    -- A bill without placement or device is for all of them.
    select
        bills.day,
        bills.placement,
        bills.device,
        bills.revenue,
        visitor_days.visitor_id,
        visitor_days.account_id,
        visitor_days.visitor_key,
        visitor_days.account_key,
        visitor_days.page_views,
        sum(visitor_days.page_views) over bill as billed_page_views,
        sum(visitor_days.page_views) over (
            bill
            order by
                visitor_days.visitor_id,
                visitor_days.account_id nulls last,
                visitor_days.placement nulls last,
                visitor_days.device nulls last
            rows between unbounded preceding and current row
        ) as running_page_views
    from bills
    inner join visitor_days
        on
            bills.day = visitor_days.day
            and (bills.placement is null or bills.placement = visitor_days.placement)
            and (bills.device is null or bills.device = visitor_days.device)
    window bill as (partition by bills.day, bills.placement, bills.device)

),

allocated as (

    -- Each takes the bill up to his page views less the bill up to those before him,
    -- both rounded: so the parts add up to the bill exactly, whatever they are rounded
    -- to.
    select
        day,
        visitor_id,
        account_id,
        visitor_key,
        account_key,
        cast(
            round(
                cast(revenue as double) * running_page_views / billed_page_views, 4
            ) as decimal(18, 4)
        )
        - cast(
            round(
                cast(revenue as double)
                * (running_page_views - page_views) / billed_page_views,
                4
            ) as decimal(18, 4)
        ) as visitor_value
    from matched

),

final as (

    select
        day,
        visitor_id,
        account_id,
        visitor_key,
        account_key,
        cast(sum(visitor_value) as decimal(18, 4)) as visitor_value
    from allocated
    group by day, visitor_id, account_id, visitor_key, account_key

)

select * from final
