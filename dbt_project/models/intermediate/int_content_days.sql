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
        content_id,
        count(*) as page_views
    from events
    where event_type = 'page_view' and content_id is not null
    group by day, content_id

)

select * from final
