with

daily_visitors as (

    select * from {{ ref('int_daily_visitors') }}

),

account_visitors as (

    select * from {{ ref('int_account_visitors') }}

),

refresh as (

    select * from {{ source('run', 'refresh') }}

),

first_days as (

    select min(day) as day from {{ ref('int_visitor_days') }}

),

months as (

    select {{ months_since('first_days.day') }} as month
    from first_days
    inner join refresh on first_days.day <= refresh.as_of_day

),

month_ends as (

    -- Where the days up to it are not all known, nobody is known to have been away.
    select
        months.month,
        {{ day_of_month('months.month') }} as day
    from months
    cross join refresh
    inner join first_days
        on
            first_days.day
            <= {{ add_days(day_of_month('months.month'), -29) }}

),

visits as (

    select
        {{ customer_of('daily_visitors') }} as customer_key,
        daily_visitors.day,
        daily_visitors.page_views
    from daily_visitors
    inner join refresh on daily_visitors.day <= refresh.as_of_day
    left join account_visitors
        on daily_visitors.visitor_key = account_visitors.visitor_key

),

aged as (

    select
        visits.customer_key,
        month_ends.month,
        visits.page_views,
        {{ days_between('visits.day', 'month_ends.day') }} as age_days
    from visits
    inner join month_ends
        on
            visits.day <= month_ends.day
            and visits.day > {{ add_days('month_ends.day', -30) }}

),

final as (

    -- A day is a bit of the thirty: on several devices it is one, without a pass over
    -- each customer's days first.
    select
        customer_key,
        month,
        cast(bit_count(bit_or(cast(power(2, age_days) as bigint))) as bigint)
            as active_days,
        cast(sum(page_views) as bigint) as page_views,
        min(age_days) as recency_days
    from aged
    group by customer_key, month

)

select * from final
