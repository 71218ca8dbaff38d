with

moments as (

    select * from {{ ref('int_churn_moments') }}

),

owners as (

    select * from {{ ref('int_visitor_owners') }}

),

subscribers as (

    -- A number is grouped by in a third of the time and room that a pseudonym takes.
    select
        account_id as customer_id,
        {{ surrogate_key('account_id') }} as customer_key,
        row_number() over (order by account_id) as subscriber
    from {{ ref('stg_subscriptions') }}
    where status in ('active', 'past_due')
    group by account_id

),

daily_visitors as (

    select daily_visitors.*
    from {{ ref('int_daily_visitors') }} as daily_visitors
    cross join {{ source('run', 'refresh') }} as refresh
    where daily_visitors.day <= refresh.as_of_day

),

anchors as (

    select
        anchor,
        anchor_day,
        min(number) as first_number,
        max(number) + 1 as last_number
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
        number as window_number,
        true as is_last
    from moments

    union all

    select
        anchor,
        number,
        moment_day,
        number + 1 as window_number,
        false as is_last
    from moments

),

days_logged_in as (

    select
        subscribers.subscriber,
        daily_visitors.day,
        sum(daily_visitors.engaged_seconds) as engaged_seconds
    from daily_visitors
    inner join subscribers on daily_visitors.account_key = subscribers.customer_key
    group by subscribers.subscriber, daily_visitors.day

),

-- Logged out, a visitor is whoever had logged in on the device by the moment, and
-- nobody once two had: a later login tells of staying, and is not known yet.
days_logged_out as (

    select
        subscribers.subscriber,
        daily_visitors.day,
        owners.owned_from_day,
        owners.shared_from_day,
        sum(daily_visitors.engaged_seconds) as engaged_seconds
    from daily_visitors
    inner join owners on daily_visitors.visitor_key = owners.visitor_key
    inner join subscribers on owners.customer_key = subscribers.customer_key
    where daily_visitors.account_key is null
    group by
        subscribers.subscriber,
        daily_visitors.day,
        owners.owned_from_day,
        owners.shared_from_day

),

customer_days as (

    -- Known at any moment after it.
    select
        subscriber,
        day,
        cast(null as date) as owned_from_day,
        cast(null as date) as shared_from_day,
        true as is_new_day,
        engaged_seconds
    from days_logged_in

    union all

    select
        logged_out.subscriber,
        logged_out.day,
        logged_out.owned_from_day,
        logged_out.shared_from_day,
        logged_in.subscriber is null as is_new_day,
        logged_out.engaged_seconds
    from days_logged_out as logged_out
    left join days_logged_in as logged_in
        on
            logged_out.subscriber = logged_in.subscriber
            and logged_out.day = logged_in.day

),

-- Summed by window before windows are laid against moments.
by_window as (

    select
        anchors.anchor,
        cast(
            floor(
                {{ days_between('customer_days.day', 'anchors.anchor_day') }} / 28.0
            ) as integer
        ) as window_number,
        customer_days.subscriber,
        customer_days.owned_from_day,
        customer_days.shared_from_day,
        -- Days on which several devices were read, logged out on each, are told apart
        -- below.
        case when customer_days.owned_from_day is not null then customer_days.day end
            as day,
        count(*) filter (where customer_days.is_new_day) as day_count,
        sum(customer_days.engaged_seconds) as engaged_seconds
    from customer_days
    cross join anchors
    where
        customer_days.day
        <= {{ add_days('anchors.anchor_day', '-28 * anchors.first_number') }}
        and customer_days.day
        > {{ add_days('anchors.anchor_day', '-28 * (anchors.last_number + 1)') }}
    group by
        anchors.anchor,
        cast(
            floor(
                {{ days_between('customer_days.day', 'anchors.anchor_day') }} / 28.0
            ) as integer
        ),
        customer_days.subscriber,
        customer_days.owned_from_day,
        customer_days.shared_from_day,
        case when customer_days.owned_from_day is not null then customer_days.day end

),

by_moment as (

    select
        windows.anchor,
        windows.number,
        windows.is_last,
        by_window.subscriber,
        by_window.day_count,
        by_window.engaged_seconds
    from by_window
    inner join windows
        on
            by_window.anchor = windows.anchor
            and by_window.window_number = windows.window_number
    where by_window.owned_from_day is null

    union all

    select
        windows.anchor,
        windows.number,
        windows.is_last,
        by_window.subscriber,
        -- The same day on two devices is one.
        max(by_window.day_count) as day_count,
        sum(by_window.engaged_seconds) as engaged_seconds
    from by_window
    inner join windows
        on
            by_window.anchor = windows.anchor
            and by_window.window_number = windows.window_number
    where
        by_window.owned_from_day <= windows.moment_day
        and (
            by_window.shared_from_day is null
            or by_window.shared_from_day > windows.moment_day
        )
    group by
        windows.anchor,
        windows.number,
        windows.is_last,
        by_window.subscriber,
        by_window.day

),

summed as (

    select
        anchor,
        number,
        subscriber,
        coalesce(sum(day_count) filter (where is_last), 0) as active_days,
        coalesce(sum(day_count) filter (where not is_last), 0) as prior_active_days,
        sum(engaged_seconds) filter (where is_last) as engaged_seconds
    from by_moment
    group by anchor, number, subscriber

),

final as (

    select
        summed.anchor,
        summed.number,
        subscribers.customer_id,
        cast(summed.active_days as bigint) as active_days,
        cast(summed.prior_active_days as bigint) as prior_active_days,
        cast(summed.engaged_seconds as decimal(18, 3)) as engaged_seconds
    from summed
    inner join subscribers on summed.subscriber = subscribers.subscriber

)

select * from final
