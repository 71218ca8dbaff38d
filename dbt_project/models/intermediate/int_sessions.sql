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
        materialized=days_at_a_time(),
        incremental_strategy='insert_overwrite',
        meta={'rewrites': [-1, 2]},
    )
}}

with

events as (

    select * from {{ ref('stg_events') }}
    where day in ({{ days_at_hand(-3, 3) }})

),

visits as (

    -- Events of one half hour lie too close together for a gap: they are summed first,
    -- and only the sums, a sixth as many, are put in order.
    select
        visitor_id,
        day,
        {{ half_hour_of('occurred_at') }}
            as half_hour,
        min(occurred_at) as started_at,
        max(occurred_at) as ended_at,
        count(*) as event_count,
        count(*) filter (where event_type = 'page_view') as page_views,
        {{ earliest('account_id', 'occurred_at') }} as account_id,
        {{ earliest('channel', 'occurred_at') }} as channel,
        {{ earliest('device', 'occurred_at') }} as device,
        {{ earliest('country', 'occurred_at') }} as country
    from events
    group by visitor_id, day, {{ half_hour_of('occurred_at') }}

),

with_previous as (

    select
        *,
        lag(ended_at) over (
            partition by visitor_id order by started_at
        ) as previous_at
    from visits

),

with_gaps as (

    select
        *,
        previous_at is null
        or {{ seconds_between('previous_at', 'started_at') }} > 1800 as is_after_gap
    from with_previous

),

numbered as (

    select
        *,
        count(*) filter (where is_after_gap) over visitor_visits as gap_count,
        max(day) filter (where is_after_gap) over visitor_visits as gap_day
    from with_gaps
    window
        visitor_visits as (
            partition by visitor_id
            order by started_at
            rows between unbounded preceding and current row
        )

),

cut as (

    -- The first midnight lets a running session pass, as its visitor started it the day
    -- before; at every later one he had started nothing the day before.
    select
        *,
        case
            when day > {{ add_days('gap_day', 1) }} then day else gap_day
        end as first_day
    from numbered

),

sessions as (

    -- No two visits of a visitor begin at one instant: each has a half hour of its own.
    select
        min(day) as day,
        visitor_id,
        {{ first_of_ordered('account_id', 'started_at') }} as account_id,
        min(started_at) as started_at,
        max(ended_at) as ended_at,
        cast(sum(event_count) as bigint) as event_count,
        cast(sum(page_views) as bigint) as page_views,
        {{ first_of_ordered('channel', 'started_at') }} as channel,
        {{ first_of_ordered('device', 'started_at') }} as device,
        {{ first_of_ordered('country', 'started_at') }} as country
    from cut
    group by visitor_id, gap_count, first_day

),

final as (

    select
        *,
        {{ surrogate_key('visitor_id') }} as visitor_key,
        {{ surrogate_key('account_id') }} as account_key
    from sessions
    where day in ({{ days_at_hand(-1, 2) }})

)

select * from final
