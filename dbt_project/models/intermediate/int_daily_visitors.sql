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

final as (

    select
        day,
        visitor_id,
        account_id,
        visitor_key,
        account_key,
        cast(sum(page_views) as bigint) as page_views,
        cast(sum(engaged_seconds) as decimal(18, 3)) as engaged_seconds,
        min(device) as first_device,
        max(device) as last_device,
        min(first_at) as first_at,
        max(last_at) as last_at
    from visitor_days
    group by day, visitor_id, account_id, visitor_key, account_key

)

select * from final
