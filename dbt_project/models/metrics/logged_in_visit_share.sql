with

visits as (

    select * from {{ ref('int_daily_visits') }}

),

first_days as (

    -- Events need not name accounts at all.
    select min(day) as day from visits
    where logged_in_visits > 0

),

counted as (

    select visits.*
    from visits
    inner join first_days on visits.day >= first_days.day

),

final as (

    {{ by_segments(
        'counted',
        numerator='sum(logged_in_visits)',
        denominator='sum(visits)',
        n='sum(visits)',
        segments=['channel', 'device']
    ) }}

)

select * from final
