with

refresh as (

    select * from {{ source('run', 'refresh') }}

),

booked as (

    select min(paid_at) as first_at from {{ ref('stg_payments') }}
    union all
    select min(started_at) as first_at from {{ ref('stg_subscriptions') }}

),

first_days as (

    select {{ local_day('booked.first_at', 'refresh.time_zone') }} as day
    from booked
    cross join refresh
    where booked.first_at < refresh.as_of_end_at

    union all

    select min(ad_revenue.day) as day
    from {{ ref('stg_ad_revenue') }} as ad_revenue
    cross join refresh
    where ad_revenue.day <= refresh.as_of_day

),

first_month as (

    select {{ month_of('min(day)') }} as month
    from first_days

),

months as (

    select
        {{ each_month(
            'coalesce(first_month.month, ' ~ month_of('refresh.as_of_day') ~ ')',
            month_of('refresh.as_of_day')
        ) }} as month
    from refresh
    cross join first_month

),

with_ends as (

    select
        months.month,
        {{ start_of_day(add_months('months.month', 1), 'refresh.time_zone') }}
            as end_at,
        refresh.as_of_end_at
    from months
    cross join refresh

),

final as (

    select
        month,
        {{ add_months('month', -1) }} as previous_month,
        -- The running month is looked at from the end of the as-of day.
        least(end_at, as_of_end_at) as end_at,
        end_at <= as_of_end_at as is_complete_month
    from with_ends

)

select * from final
