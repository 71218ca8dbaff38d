with

refresh as (

    select * from {{ source('run', 'refresh') }}

),

months as (

    select * from {{ ref('int_months') }}

),

decisions as (

    select
        purpose,
        decided_at,
        case when granted then 1 else 0 end as is_granted,
        lag(case when granted then 1 else 0 end) over (
            partition by account_id, visitor_id, purpose order by decided_at
        ) as was_granted
    from {{ ref('stg_consents') }}

),

changes as (

    select
        purpose,
        decided_at,
        is_granted - coalesce(was_granted, 0) as granted,
        case when was_granted is null then 1 else 0 end as decided
    from decisions

),

counted as (

    select
        {{ day_of_month('months.month') }} as day,
        changes.purpose,
        changes.granted,
        changes.decided
    from months
    cross join refresh
    inner join changes on months.end_at > changes.decided_at

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
