with

refresh as (

    select * from {{ source('run', 'refresh') }}

),

decisions as (

    select
        purpose,
        {{ local_day('decided_at', 'refresh.time_zone') }} as day,
        case when granted then 1 else 0 end as is_granted,
        lag(case when granted then 1 else 0 end) over (
            partition by account_id, visitor_id, purpose order by decided_at
        ) as was_granted
    from {{ ref('stg_consents') }}
    cross join refresh

),

changes as (

    -- By the day: each month adds up all that came before it.
    select
        purpose,
        day,
        sum(is_granted - coalesce(was_granted, 0)) as granted,
        sum(case when was_granted is null then 1 else 0 end) as decided
    from decisions
    group by purpose, day

),

first_days as (

    select min(day) as day from changes

),

months as (

    select {{ months_since('first_days.day') }} as month
    from first_days
    inner join refresh on first_days.day <= refresh.as_of_day

),

counted as (

    select
        {{ day_of_month('months.month') }} as day,
        changes.purpose,
        changes.granted,
        changes.decided
    from months
    cross join refresh
    inner join changes on {{ day_of_month('months.month') }} >= changes.day

),

final as (

    {{ by_segments(
        'counted',
        numerator='sum(granted)',
        denominator='sum(decided)',
        n='sum(decided)',
        segments=['purpose']
    ) }}

)

select * from final
