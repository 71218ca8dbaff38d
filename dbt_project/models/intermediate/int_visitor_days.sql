{#
  A page may stay open past midnight: its heartbeats of the next day follow on those of the day
  it was opened. So what a day holds decides the engaged seconds of the day after it, too.
#}
{{
    config(
        materialized=days_at_a_time(),
        incremental_strategy='insert_overwrite',
        meta={'rewrites': [0, 1]},
    )
}}

with

events as (

    select * from {{ ref('stg_events') }}
    where day in ({{ days_at_hand(-1, 1) }})

),

refresh as (

    select * from {{ source('run', 'refresh') }}

),

reading as (

    select
        *,
        lag(event_type) over page as previous_type,
        lag(day) over page as previous_day,
        {{ seconds_between('lag(occurred_at) over page', 'occurred_at') }}
            as seconds_before
    from events
    window
        page as (
            partition by
                visitor_id, content_id, event_type in ('page_view', 'heartbeat')
            order by occurred_at, event_type desc, event_id
        )

),

measured as (

    select
        reading.*,
        -- The first heartbeat of a page view proves the shortest visit that counts; the
        -- next ones the time since the one before, or what a sleeping tab may at most
        -- hide.
        case
            when reading.event_type <> 'heartbeat' then null
            when
                reading.previous_type = 'heartbeat'
                and reading.previous_day >= {{ add_days('reading.day', -1) }}
                then least(reading.seconds_before, 1.5 * refresh.heartbeat_seconds)
            else refresh.min_visit_seconds
        end as heartbeat_seconds
    from reading
    cross join refresh
    where reading.day in ({{ days_at_hand(0, 1) }})

),

by_content as (

    select
        day,
        visitor_id,
        account_id,
        device,
        placement,
        content_id,
        count(*) as event_count,
        count(*) filter (where event_type = 'page_view') as page_views,
        count(*) filter (where event_type = 'share') as share_count,
        -- Seconds that the source reports itself win over those reckoned from
        -- heartbeats.
        coalesce(
            sum(cast(engaged_seconds as decimal(18, 3))),
            sum(cast(heartbeat_seconds as decimal(18, 3)))
        ) as engaged_seconds,
        min(occurred_at) as first_at,
        max(occurred_at) as last_at
    from measured
    group by day, visitor_id, account_id, device, placement, content_id

),

final as (

    select
        day,
        visitor_id,
        account_id,
        {{ surrogate_key('visitor_id') }} as visitor_key,
        {{ surrogate_key('account_id') }} as account_key,
        device,
        placement,
        cast(sum(event_count) as bigint) as event_count,
        cast(sum(page_views) as bigint) as page_views,
        cast(sum(share_count) as bigint) as share_count,
        -- Decimals, as sums of doubles depend on the order of the rows.
        cast(sum(engaged_seconds) as decimal(18, 3)) as engaged_seconds,
        min(first_at) as first_at,
        max(last_at) as last_at
    from by_content
    group by day, visitor_id, account_id, device, placement

)

select * from final
