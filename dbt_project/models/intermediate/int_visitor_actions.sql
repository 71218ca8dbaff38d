{#
  What visitors did beyond reading, by day: few rows, so that a question about shares or checkouts
  need not read all events.
#}
{{
    config(
        materialized='incremental',
        incremental_strategy=rows_by_day(),
        pre_hook="{{ delete_days(days_around_pending(0, 0)) }}",
    )
}}

with

events as (

    select * from {{ ref('stg_events') }}
    {% if is_incremental() -%}
    where day in ({{ days_around_pending(0, 0) }})
    {%- endif %}

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
