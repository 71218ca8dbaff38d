with

visited as (

    select
        day,
        sum(visits - logged_in_visits) as visits
    from {{ ref('int_daily_visits') }}
    group by day

),

registered as (

    select
        {{ local_day('accounts.registered_at', 'refresh.time_zone') }} as day,
        count(*) as registrations
    from {{ ref('stg_accounts') }} as accounts
    inner join {{ source('run', 'refresh') }} as refresh
        on accounts.registered_at < refresh.as_of_end_at
    group by {{ local_day('accounts.registered_at', 'refresh.time_zone') }}

),

first_days as (

    -- Before the first registration is told, who registered is unknown.
    select min(day) as day from registered

),

counted as (

    select
        visited.day,
        visited.visits,
        coalesce(registered.registrations, 0) as registrations
    from visited
    inner join first_days on visited.day >= first_days.day
    left join registered on visited.day = registered.day

),

final as (

    {{ by_segments(
        'counted',
        numerator='1000 * sum(registrations)',
        denominator='sum(visits)',
        n='sum(visits)'
    ) }}

)

select * from final
