{# A day after the one that changed changes with it, as its visitor-days do. #}
{{
    config(
        materialized=days_at_a_time(),
        incremental_strategy='insert_overwrite',
        meta={'rewrites': [0, 1]},
    )
}}

with

visitor_days as (

    select * from {{ ref('int_visitor_days') }}
    where day in ({{ days_at_hand(0, 1) }})

),

visitors as (

    -- First by visitor: counting distinct ones at once would keep all in memory.
    select
        visitor_days.day,
        coalesce(visitor_days.device, '(unknown)') as device,
        visitor_days.visitor_id,
        sum(visitor_days.page_views) as page_views,
        sum(visitor_days.share_count) as share_count,
        sum(visitor_days.engaged_seconds) as engaged_seconds
    from visitor_days
    group by
        visitor_days.day,
        coalesce(visitor_days.device, '(unknown)'),
        visitor_days.visitor_id

),

final as (

    select
        day,
        device,
        cast(sum(page_views) as bigint) as page_views,
        cast(sum(share_count) as bigint) as share_count,
        cast(sum(engaged_seconds) as decimal(18, 3)) as engaged_seconds,
        count(*) filter (where page_views > 0) as readers
    from visitors
    group by day, device

)

select * from final
