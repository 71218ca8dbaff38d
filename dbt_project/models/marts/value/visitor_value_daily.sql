with

bills as (

    select * from {{ ref('int_bills') }}

),

visitor_days as (

    select * from {{ ref('int_visitor_days') }}

),

refresh as (

    select * from {{ source('run', 'refresh') }}

),

page_views as (

    select
        day,
        placement,
        device,
        cast(sum(page_views) as bigint) as page_views
    from visitor_days
    group by day, placement, device

),

matched as (

    select
        bills.day,
        bills.placement,
        bills.device,
        bills.impressions,
        bills.revenue,
        cast(coalesce(sum(page_views.page_views), 0) as bigint) as page_views
    from bills
    inner join refresh on bills.day <= refresh.as_of_day
    left join page_views
        on
            bills.day = page_views.day
            and (bills.placement is null or bills.placement = page_views.placement)
            and (bills.device is null or bills.device = page_views.device)
    group by
        bills.day,
        bills.placement,
        bills.device,
        bills.impressions,
        bills.revenue

),

final as (

    select
        day,
        coalesce(placement, '(all)') as placement,
        coalesce(device, '(all)') as device,
        impressions,
        page_views,
        revenue as billed_revenue,
        -- Where nobody saw the page the bill is nobody's, and shown as such.
        case
            when page_views > 0 then revenue else cast(0 as decimal(18, 4))
        end as allocated_revenue,
        case
            when page_views > 0 then cast(0 as decimal(18, 4)) else revenue
        end as unallocated_revenue,
        1000 * cast(revenue as double) / nullif(page_views, 0) as page_rpm,
        1000 * cast(revenue as double) / nullif(impressions, 0) as ecpm
    from matched

)

select * from final
