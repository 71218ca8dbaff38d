with

refresh as (

    select * from {{ source('run', 'refresh') }}

),

measured as (

    select
        {{ local_day('page_speed.measured_at', 'refresh.time_zone') }} as day,
        page_speed.device,
        page_speed.lcp_ms
    from {{ ref('stg_page_speed') }} as page_speed
    inner join {{ source('run', 'refresh') }} as refresh
        on page_speed.measured_at < refresh.as_of_end_at
    where page_speed.lcp_ms is not null

),

first_days as (

    select min(day) as day from measured

),

months as (

    select {{ months_since('first_days.day') }} as month
    from first_days
    cross join refresh

),

month_ends as (

    select {{ day_of_month('months.month') }} as day
    from months
    cross join refresh

),

counted as (

    select
        month_ends.day,
        measured.device,
        measured.lcp_ms
    from measured
    inner join month_ends
        on
            measured.day <= month_ends.day
            and measured.day > {{ add_days('month_ends.day', -28) }}

),

final as (

    {{ by_segments(
        'counted',
        numerator='cast(' ~ percentile(0.75, 'lcp_ms') ~ ' as decimal(28, 6))',
        segments=['device']
    ) }}

)

select * from final
