{#
  A session ends with a gap of more than 1,800 seconds (definitions: "Session"). It may cross one
  midnight: at a local midnight a running session goes on only if its visitor had a start by the
  gap rule during the day before; else it is cut there. So what a day holds can move sessions
  that start from the day before to two days after, and to know those takes the events of two
  days more to either side.
  Without the bound one visitor who never pauses would tie every day to all others.
#}
{{
    config(
        materialized='incremental',
        incremental_strategy=rows_by_day(),
        pre_hook="{{ delete_days(days_around_pending(-1, 2)) }}",
    )
}}

with

events as (

    select
        event_id,
        visitor_id,
        account_id,
        occurred_at,
        day,
        event_type,
        channel,
        device,
        country
    from {{ ref('stg_events') }}
    {% if is_incremental() -%}
    where day in ({{ days_around_pending(-3, 3) }})
    {%- endif %}

),

with_previous as (

    select
        *,
        lag(occurred_at) over visit as previous_at,
        lag(day) over visit as previous_day
    from events
    window visit as (partition by visitor_id order by occurred_at, event_id)

),

with_gaps as (

    select
        *,
        previous_at is null
        or {{ seconds_between('previous_at', 'occurred_at') }} > 1800 as is_after_gap
    from with_previous

),

started_days as (

    -- Days on which a visitor started by the gap rule: the next midnight lets him pass.
    select
        visitor_id,
        {{ add_days('day', 1) }} as next_day
    from with_gaps
    where is_after_gap
    group by visitor_id, day

),

with_starts as (

    select
        with_gaps.*,
        case
            when with_gaps.is_after_gap then 1
            when
                with_gaps.previous_day < with_gaps.day
                and started_days.visitor_id is null
                then 1
            else 0
        end as is_start
    from with_gaps
    left join started_days
        on
            with_gaps.visitor_id = started_days.visitor_id
            and with_gaps.day = started_days.next_day

),

numbered as (

    select
        *,
        sum(is_start) over (
            partition by visitor_id
            order by occurred_at, event_id
            rows between unbounded preceding and current row
        ) as session_number
    from with_starts

),

sessions as (

    select
        min(day) as day,
        visitor_id,
        {{ earliest('account_id', 'occurred_at') }} as account_id,
        min(occurred_at) as started_at,
        max(occurred_at) as ended_at,
        count(*) as event_count,
        count(*) filter (where event_type = 'page_view') as page_views,
        {{ earliest('channel', 'occurred_at') }} as channel,
        {{ earliest('device', 'occurred_at') }} as device,
        {{ earliest('country', 'occurred_at') }} as country
    from numbered
    group by visitor_id, session_number

),

final as (

    select * from sessions
    {% if is_incremental() -%}
    where day in ({{ days_around_pending(-1, 2) }})
    {%- endif %}

)

select * from final
