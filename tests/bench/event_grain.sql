-- The event-grain work of a full build as one script, written by hand for DuckDB alone: what
-- speed.py holds the models against. `landed` is a view of the landed events, `refresh` the
-- publisher's settings.

create table repeated as
select event_id from landed group by event_id having count(*) > 1;

create table events as
select * from landed where event_id not in (select event_id from repeated)
union all
select * from landed where event_id in (select event_id from repeated)
qualify row_number() over (
    partition by event_id order by received_at nulls last, occurred_at, visitor_id, account_id
) = 1;

-- Sessions by a gap of more than 1,800 seconds, cut at every midnight but the first.
create table sessions as
with gaps as (
    select
        *,
        coalesce(occurred_at - lag(occurred_at) over visit > interval 1800 seconds, true) as is_gap
    from events
    window visit as (partition by visitor_id order by occurred_at, event_id)
),
numbered as (
    select
        *,
        sum(is_gap::int) over visit as gap_count,
        max(case when is_gap then day end) over visit as gap_day
    from gaps
    window visit as (
        partition by visitor_id order by occurred_at, event_id
        rows between unbounded preceding and current row
    )
)
select
    min(day) as day,
    visitor_id,
    arg_min(account_id, (occurred_at, account_id)) filter (account_id is not null) as account_id,
    min(occurred_at) as started_at,
    max(occurred_at) as ended_at,
    count(*) as event_count,
    count(*) filter (event_type = 'page_view') as page_views,
    arg_min(channel, (occurred_at, channel)) filter (channel is not null) as channel,
    arg_min(device, (occurred_at, device)) filter (device is not null) as device,
    arg_min(country, (occurred_at, country)) filter (country is not null) as country
from numbered
group by visitor_id, gap_count, case when day > gap_day + 1 then day else gap_day end;

-- Visitor-days with the seconds that heartbeats prove.
create table visitor_days as
with reading as (
    select
        *,
        case
            when event_type <> 'heartbeat' then null
            when lag(event_type) over page = 'heartbeat' and lag(day) over page >= day - 1
                then least(
                    (epoch_us(occurred_at) - epoch_us(lag(occurred_at) over page)) / 1000000.0,
                    1.5 * (select heartbeat_seconds from refresh)
                )
            else (select min_visit_seconds from refresh)
        end as heartbeat_seconds
    from events
    window page as (
        partition by visitor_id, content_id, event_type in ('page_view', 'heartbeat')
        order by occurred_at, event_type desc, event_id
    )
),
by_content as (
    select
        day, visitor_id, account_id, device, placement, content_id,
        count(*) as event_count,
        count(*) filter (event_type = 'page_view') as page_views,
        coalesce(
            sum(engaged_seconds::decimal(18, 3)), sum(heartbeat_seconds::decimal(18, 3))
        ) as engaged_seconds,
        min(occurred_at) as first_at,
        max(occurred_at) as last_at
    from reading
    group by all
)
select
    day, visitor_id, account_id, device, placement,
    sum(event_count) as event_count,
    sum(page_views) as page_views,
    sum(engaged_seconds) as engaged_seconds,
    min(first_at) as first_at,
    max(last_at) as last_at
from by_content
group by all;
