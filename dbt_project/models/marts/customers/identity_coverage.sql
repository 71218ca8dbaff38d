with

visitor_days as (

    select * from {{ ref('int_visitor_days') }}

),

account_visitors as (

    select * from {{ ref('int_account_visitors') }}

),

refresh as (

    select * from {{ source('run', 'refresh') }}

),

recognised as (

    -- Whether, not whose: looking a visitor up in a set needs no room for all his days.
    select
        visitor_days.day,
        visitor_days.device,
        visitor_days.page_views,
        visitor_days.account_key is not null as is_logged_in,
        visitor_days.visitor_key in (select visitor_key from account_visitors)
            as is_stitched
    from visitor_days
    inner join refresh on visitor_days.day <= refresh.as_of_day
    where visitor_days.page_views > 0

),

summed as (

    select
        day,
        coalesce(device, '(unknown)') as device,
        sum(page_views) as page_views,
        coalesce(sum(page_views) filter (where is_logged_in), 0)
            as identified_page_views,
        coalesce(sum(page_views) filter (where is_logged_in or is_stitched), 0)
            as stitched_page_views
    from recognised
    group by day, coalesce(device, '(unknown)')

),

final as (

    select
        day,
        device,
        cast(page_views as bigint) as page_views,
        cast(identified_page_views as bigint) as identified_page_views,
        cast(identified_page_views as double) / page_views as identified_share,
        cast(stitched_page_views as bigint) as stitched_page_views,
        cast(stitched_page_views as double) / page_views as stitched_share
    from summed

)

select * from final
