with

billed as (

    select
        day,
        device,
        allocated_revenue as revenue,
        0 as page_views
    from {{ ref('visitor_value_daily') }}

),

viewed as (

    select
        day,
        device,
        cast(0 as decimal(18, 4)) as revenue,
        page_views
    from {{ ref('int_daily_traffic') }}

),

counted as (

    select * from billed
    union all
    select viewed.* from viewed
    inner join (select distinct day from billed) as days on viewed.day = days.day

),

final as (

    {{ by_segments(
        'counted',
        numerator='1000 * sum(revenue)',
        denominator='sum(page_views)',
        n='sum(page_views)',
        segments=['device']
    ) }}

)

select * from final
