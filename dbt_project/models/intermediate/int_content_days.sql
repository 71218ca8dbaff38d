{{
    config(
        materialized=days_at_a_time(),
        incremental_strategy='insert_overwrite',
        meta={'rewrites': [0, 0]},
    )
}}

with

events as (

    select * from {{ ref('stg_events') }}
    where day in ({{ days_at_hand(0, 0) }})

),

final as (

    select
        day,
        content_id,
        count(*) as page_views
    from events
    where event_type = 'page_view' and content_id is not null
    group by day, content_id

)

select * from final
