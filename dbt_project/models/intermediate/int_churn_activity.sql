with

moments as (

    select * from {{ ref('int_churn_moments') }}

),

owners as (

    select * from {{ ref('int_visitor_owners') }}

),

subscribers as (

    select distinct account_id as customer_id
    from {{ ref('stg_subscriptions') }}
    where status in ('active', 'past_due')

),

visitor_days as (

    select visitor_days.*
    from {{ ref('int_visitor_days') }} as visitor_days
    cross join {{ source('run', 'refresh') }} as refresh
    where visitor_days.day <= refresh.as_of_day

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

customer_days as (

    select
        visitor_days.account_id as customer_id,
        visitor_days.day,
        cast(null as date) as owned_from_day,
        cast(null as date) as shared_from_day,
        sum(visitor_days.engaged_seconds) as engaged_seconds
    from visitor_days
    inner join subscribers on visitor_days.account_id = subscribers.customer_id
    group by visitor_days.account_id, visitor_days.day

    union all

    -- Logged out, a visitor is whoever had logged in on the device by the moment, and
    -- nobody once two had: a later login tells of staying, and is not known yet.
    select
        owners.customer_id,
        visitor_days.day,
        owners.owned_from_day,
        owners.shared_from_day,
        sum(visitor_days.engaged_seconds) as engaged_seconds
    from visitor_days
    inner join owners on visitor_days.visitor_id = owners.visitor_id
    inner join subscribers on owners.customer_id = subscribers.customer_id
    where visitor_days.account_id is null
    group by
        owners.customer_id,
        visitor_days.day,
        owners.owned_from_day,
        owners.shared_from_day

),

numbered as (

    select
        customer_days.*,
        anchors.anchor,
        anchors.first_number,
        anchors.last_number,
        cast(
            floor(
                {{ days_between('customer_days.day', 'anchors.anchor_day') }} / 28.0
            ) as integer
        ) as window_number
    from customer_days
    cross join anchors

),

by_day as (

    select
        windows.anchor,
        windows.number,
        windows.is_last,
        numbered.customer_id,
        numbered.day,
        sum(numbered.engaged_seconds) as engaged_seconds
    from numbered
    inner join windows
        on
            numbered.anchor = windows.anchor
            and numbered.window_number = windows.window_number
    where
        numbered.window_number between numbered.first_number and numbered.last_number
        and (
            numbered.owned_from_day is null
            or (
                numbered.owned_from_day <= windows.moment_day
                and (
                    numbered.shared_from_day is null
                    or numbered.shared_from_day > windows.moment_day
                )
            )
        )
    group by
        windows.anchor,
        windows.number,
        windows.is_last,
        numbered.customer_id,
        numbered.day

),

final as (

    select
        anchor,
        number,
        customer_id,
        count(*) filter (where is_last) as active_days,
        count(*) filter (where not is_last) as prior_active_days,
        cast(
            sum(engaged_seconds) filter (where is_last) as decimal(18, 3)
        ) as engaged_seconds
    from by_day
    group by anchor, number, customer_id

)

select * from final
