{#
  A moment is the end of a local day; the 28 days after it are its next period. One row of moments
  lies 0, 28, 56 … days before the as-of day; the first of them is scored, the rest teach. Another
  lies around the calibration end: those before it teach the score that is judged on those after.
  Twelve at most of each, so that history may grow.
#}
{% set most = 12 %}

with

refresh as (

    select * from {{ source('run', 'refresh') }}

),

calibration as (

    select * from {{ ref('int_calibration') }}

),

numbers as (

    {% for number in range(1 - most, most + 1) -%}
    select {{ number }} as number
    {{- '\n    union all\n    ' if not loop.last }}
    {%- endfor %}

),

anchors as (

    select
        'as_of' as anchor,
        as_of_day as anchor_day
    from refresh

    union all

    select
        'calibration_end' as anchor,
        calibration_end as anchor_day
    from calibration

),

placed as (

    select
        anchors.anchor,
        anchors.anchor_day,
        numbers.number,
        case
            when anchors.anchor = 'as_of' and numbers.number = 0 then 'scoring'
            when anchors.anchor = 'as_of' then 'current'
            when numbers.number > 0 then 'calibration'
            else 'holdout'
        end as sample,
        {{ add_days('anchors.anchor_day', '-28 * numbers.number') }} as moment_day
    from anchors
    cross join numbers
    where anchors.anchor = 'calibration_end' or numbers.number >= 0

),

timed as (

    select
        placed.*,
        refresh.as_of_end_at,
        {{ start_of_day(add_days('placed.moment_day', 1), 'refresh.time_zone') }}
            as moment_at,
        {{ start_of_day(add_days('placed.moment_day', 29), 'refresh.time_zone') }}
            as outcome_at
    from placed
    cross join refresh

),

known_ends as (

    select min(subscriptions.ended_at) as first_end_at
    from {{ ref('stg_subscriptions') }} as subscriptions
    cross join refresh
    where
        subscriptions.status in ('active', 'past_due')
        and subscriptions.ended_at < refresh.as_of_end_at

),

known_events as (

    select min(visitor_days.day) as first_day
    from {{ ref('int_visitor_days') }} as visitor_days
    cross join refresh
    where visitor_days.day <= refresh.as_of_day

),

final as (

    select
        timed.anchor,
        timed.anchor_day,
        timed.number,
        timed.sample,
        timed.moment_day,
        timed.moment_at,
        timed.outcome_at,
        -- Whether the 28 days before the last 28 were seen, too.
        coalesce(
            known_events.first_day <= {{ add_days('timed.moment_day', -55) }}, false
        ) as has_prior
    from timed
    cross join known_ends
    cross join known_events
    where
        timed.sample = 'scoring'
        or (
            timed.outcome_at <= timed.as_of_end_at
            -- A source that keeps no earlier end may hold none of those who had left:
            -- in a period before the first known end, staying is not known.
            and timed.outcome_at > known_ends.first_end_at
            and (
                known_events.first_day is null
                or known_events.first_day <= {{ add_days('timed.moment_day', -27) }}
            )
        )

)

select * from final
