with

billed as (

    select
        day,
        {{ sum_if_known('allocated_revenue') }} as revenue
    from {{ ref('visitor_value_daily') }}
    where page_views > 0
    group by day

),

visited as (

    select
        day,
        sum(visits) as visits
    from {{ ref('int_daily_visits') }}
    group by day

),

counted as (

    select
        billed.day,
        billed.revenue,
        visited.visits
    from billed
    inner join visited on billed.day = visited.day

),

final as (

    {{ by_segments(
        'counted',
        numerator='sum(revenue)',
        denominator='sum(visits)',
        n='sum(visits)'
    ) }}

)

select * from final
