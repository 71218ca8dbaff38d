{#
  What visitors did beyond reading, by day: few rows, so that a question about shares or checkouts
  need not read all events.
#}
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
        visitor_id,
        account_id,
        event_type,
        content_id,
        count(*) as event_count,
        max(occurred_at) as last_at
    from events
    where event_type not in ('page_view', 'heartbeat')
    group by day, visitor_id, account_id, event_type, content_id

)

select * from final
