with

customer_days as (

    select * from {{ ref('int_customer_days') }}

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

final as (

    select
        customer_days.customer_key,
        month_ends.month,
        count(*) as active_days,
        cast(sum(customer_days.page_views) as bigint) as page_views,
        {{ days_between('max(customer_days.day)', 'month_ends.day') }} as recency_days
    from customer_days
    inner join month_ends
        on
            customer_days.day <= month_ends.day
            and customer_days.day > {{ add_days('month_ends.day', -30) }}
    group by customer_days.customer_key, month_ends.month, month_ends.day

)

select * from final
