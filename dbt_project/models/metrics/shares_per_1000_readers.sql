with

traffic as (

    select * from {{ ref('int_daily_traffic') }}

),

first_days as (

    -- Events need not tell of shares at all.
    select min(day) as day from traffic
    where share_count > 0

),

counted as (

    select traffic.*
    from traffic
    inner join first_days on traffic.day >= first_days.day

),

final as (

    {{ by_segments(
        'counted',
        numerator='1000 * sum(share_count)',
        denominator='sum(readers)',
        n='sum(readers)',
        segments=['device']
    ) }}

)

select * from final
