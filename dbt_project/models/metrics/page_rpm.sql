with

billed as (

    select
        day,
        device,
        allocated_revenue as revenue,
        0 as page_views
    from {{ ref('visitor_value_daily') }}
    where page_views > 0

),

named as (

    -- Of what is billed for all devices at once no device has a known part.
    select * from billed
    where device <> '(all)'

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

by_device as (

    -- Where a day's bills name devices, one that they leave out has brought nothing;
    -- one that no bill ever names is not billed by itself.
    select * from named
    union all
    select viewed.* from viewed
    inner join (select distinct day from named) as days on viewed.day = days.day
    inner join (select distinct device from named) as devices
        on viewed.device = devices.device

),

final as (

    {{ by_segments(
        'counted',
        numerator='1000 * ' ~ sum_if_known('revenue'),
        denominator='sum(page_views)',
        n='sum(page_views)'
    ) }}

    union all

    select
        day,
        'device' as segment_type,
        device as segment,
        1000 * {{ sum_if_known('revenue') }} as numerator,
        sum(page_views) as denominator,
        sum(page_views) as n
    from by_device
    group by day, device

)

select * from final
