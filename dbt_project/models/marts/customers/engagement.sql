with

customers as (

    select
        customer_id,
        {{ surrogate_key('customer_id') }} as customer_key,
        last_seen_day
    from {{ ref('customers') }}

),

daily_customers as (

    select * from {{ ref('int_daily_customers') }}

),

refresh as (

    select * from {{ source('run', 'refresh') }}

),

feeds as (

    select * from {{ ref('int_known_feeds') }}

),

measuring as (

    select count(engaged_seconds) > 0 as has_engaged_seconds
    from {{ ref('int_visitor_days') }}

),

aged_days as (

    select
        daily_customers.customer_key,
        daily_customers.page_views,
        daily_customers.engaged_seconds,
        {{ days_between('daily_customers.day', 'refresh.as_of_day') }} as age_days
    from daily_customers
    inner join refresh
        on
            daily_customers.day <= refresh.as_of_day
            and daily_customers.day > {{ add_days('refresh.as_of_day', -60) }}

),

day_bits as (

    -- A day is a bit of the sixty: on several devices, or logged in and out, it is one.
    select
        *,
        cast(power(2, age_days) as bigint) as day_bit
    from aged_days

),

windows as (

    select
        customer_key,
        cast(
            coalesce(bit_count(bit_or(day_bit) filter (where age_days < 30)), 0)
            as bigint
        ) as active_days_30d,
        cast(
            coalesce(bit_count(bit_or(day_bit) filter (where age_days >= 30)), 0)
            as bigint
        ) as active_days_prior_30d,
        coalesce(sum(page_views) filter (where age_days < 30), 0) as page_views_30d,
        coalesce(sum(engaged_seconds) filter (where age_days < 30), 0)
            as engaged_seconds_30d
    from day_bits
    group by customer_key

),

sessions as (

    select
        customer_sessions.customer_key,
        count(*) as sessions_30d
    from {{ ref('int_customer_sessions') }} as customer_sessions
    cross join refresh
    where
        customer_sessions.day > {{ add_days('refresh.as_of_day', -30) }}
    group by customer_sessions.customer_key

),

caps as (

    select {{ percentile(0.95, 'page_views_30d') }} as page_views_cap
    from windows
    where page_views_30d > 0

),

measured as (

    -- Without events nothing is known; with them, a customer without any was not there.
    select
        customers.customer_id,
        caps.page_views_cap,
        {{ days_between('customers.last_seen_day', 'refresh.as_of_day') }}
            as recency_days,
        case when feeds.has_events then coalesce(sessions.sessions_30d, 0) end
            as sessions_30d,
        case when feeds.has_events then coalesce(windows.active_days_30d, 0) end
            as active_days_30d,
        case when feeds.has_events then coalesce(windows.active_days_prior_30d, 0) end
            as active_days_prior_30d,
        case when feeds.has_events then coalesce(windows.page_views_30d, 0) end
            as page_views_30d,
        case
            when measuring.has_engaged_seconds
                then coalesce(windows.engaged_seconds_30d, 0)
        end as engaged_seconds_30d
    from customers
    cross join refresh
    cross join feeds
    cross join measuring
    cross join caps
    left join windows on customers.customer_key = windows.customer_key
    left join sessions on customers.customer_key = sessions.customer_key

),

final as (

    select
        customer_id,
        cast(recency_days as bigint) as recency_days,
        cast(sessions_30d as bigint) as sessions_30d,
        cast(active_days_30d as bigint) as active_days_30d,
        cast(page_views_30d as bigint) as page_views_30d,
        cast(engaged_seconds_30d as double) as engaged_seconds_30d,
        cast(active_days_prior_30d as bigint) as active_days_prior_30d,
        cast(active_days_30d - active_days_prior_30d as bigint)
            as active_days_change_30d,
        cast(page_views_cap as double) as page_views_cap,
        {{ rfv_score(
            'active_days_30d', 'page_views_30d', 'page_views_cap', 'recency_days'
        ) }} as rfv_score,
        case
            when active_days_30d = 0 then 'none'
            when active_days_30d = 1 then '1'
            when active_days_30d < 15 then '2-14'
            when active_days_30d >= 15 then '15+'
        end as activity_band
    from measured

)

select * from final
