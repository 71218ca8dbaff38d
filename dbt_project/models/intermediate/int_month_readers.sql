with

daily_customers as (

    select * from {{ ref('int_daily_customers') }}

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

ages as (

    select {{ each_number(0, 29) }} as age_days

),

month_days as (

    -- To join days by equality: of a range DuckDB expects few rows, and would hold the
    -- many visitor-days in memory.
    select
        month_ends.month,
        ages.age_days,
        {{ add_days('month_ends.day', '-ages.age_days') }} as day
    from month_ends
    cross join ages

),

aged as (

    select
        daily_customers.customer_key,
        daily_customers.page_views,
        month_days.month,
        month_days.age_days
    from daily_customers
    inner join month_days on daily_customers.day = month_days.day

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
