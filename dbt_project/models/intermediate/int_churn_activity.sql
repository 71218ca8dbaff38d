with

moments as (

    select * from {{ ref('int_churn_moments') }}

),

owners as (

    select * from {{ ref('int_visitor_owners') }}

),

subscribers as (

    select * from {{ ref('int_churn_subscribers') }}

),

anchors as (

    select
        anchor,
        anchor_day,
        min(number) as first_number,
        max(number) + 1 as last_number,
        min(number) filter (where sample = 'scoring') + 1 as last_scoring_number
    from moments
    group by anchor, anchor_day

),

-- A window of 28 days is the last before one moment and the one before that of
-- another.
windows as (

    select
        anchor,
        number,
        moment_day,
        sample,
        number as window_number,
        true as is_last
    from moments

    union all

    select
        anchor,
        number,
        moment_day,
        sample,
        number + 1 as window_number,
        false as is_last
    from moments

),

-- The visitor-days are named where they are read: once for both, DuckDB would copy them
-- first.
logged_in as (

    -- Known at any moment after it.
    select
        subscribers.subscriber,
        subscribers.is_teacher,
        daily_visitors.day,
        daily_visitors.engaged_seconds,
        cast(null as date) as owned_from_day,
        cast(null as date) as shared_from_day
    from {{ ref('int_daily_visitors') }} as daily_visitors
    inner join subscribers on daily_visitors.account_key = subscribers.customer_key

),

-- Logged out, a visitor is whoever had logged in on the device by the moment, and
-- nobody once two had: a later login tells of staying, and is not known yet.
logged_out as (

    select
        subscribers.subscriber,
        subscribers.is_teacher,
        daily_visitors.day,
        daily_visitors.engaged_seconds,
        owners.owned_from_day,
        owners.shared_from_day
    from {{ ref('int_daily_visitors') }} as daily_visitors
    inner join owners on daily_visitors.visitor_key = owners.visitor_key
    inner join subscribers on owners.customer_key = subscribers.customer_key
    where daily_visitors.account_key is null

),

visits as (

    select * from logged_in

    union all

    select * from logged_out

),

placed as (

    select
        visits.*,
        anchors.anchor,
        {{ days_between('visits.day', 'anchors.anchor_day') }} as age_days,
        cast(
            floor({{ days_between('visits.day', 'anchors.anchor_day') }} / 28.0)
            as integer
        ) as window_number
    from visits
    cross join anchors
    -- The last window ends with the as-of day, or before it.
    where
        visits.day <= {{ add_days('anchors.anchor_day', '-28 * anchors.first_number') }}
        and visits.day > {{ add_days(
            'anchors.anchor_day',
            '-28 * (case when visits.is_teacher then anchors.last_number '
            ~ 'else anchors.last_scoring_number end + 1)'
        ) }}

),

-- Summed by window before windows are laid against moments. A day is a bit of its
-- window: on two devices, or logged in and out, it is one.
by_window as (

    select
        anchor,
        window_number,
        subscriber,
        is_teacher,
        owned_from_day,
        shared_from_day,
        bit_or(cast(power(2, age_days - 28 * window_number) as bigint)) as days,
        cast(sum(engaged_seconds) as decimal(18, 3)) as engaged_seconds
    from placed
    group by
        anchor,
        window_number,
        subscriber,
        is_teacher,
        owned_from_day,
        shared_from_day

),

summed as (

    select
        windows.anchor,
        windows.number,
        by_window.subscriber,
        bit_or(by_window.days) filter (where windows.is_last) as days,
        bit_or(by_window.days) filter (where not windows.is_last) as prior_days,
        sum(by_window.engaged_seconds) filter (where windows.is_last)
            as engaged_seconds
    from by_window
    inner join windows
        on
            by_window.anchor = windows.anchor
            and by_window.window_number = windows.window_number
    where
        (by_window.is_teacher or windows.sample = 'scoring')
        and (
            by_window.owned_from_day is null
            or (
                by_window.owned_from_day <= windows.moment_day
                and (
                    by_window.shared_from_day is null
                    or by_window.shared_from_day > windows.moment_day
                )
            )
        )
    group by windows.anchor, windows.number, by_window.subscriber

),

final as (

    select
        anchor,
        number,
        subscriber,
        coalesce(cast(bit_count(days) as bigint), 0) as active_days,
        coalesce(cast(bit_count(prior_days) as bigint), 0) as prior_active_days,
        cast(engaged_seconds as decimal(18, 3)) as engaged_seconds
    from summed

)

select * from final
