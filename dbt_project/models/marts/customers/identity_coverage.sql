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

summed as (

    select
        visitor_days.day,
        coalesce(visitor_days.device, '(unknown)') as device,
        sum(visitor_days.page_views) as page_views,
        coalesce(
            sum(visitor_days.page_views)
            filter (where visitor_days.account_id is not null),
            0
        ) as identified_page_views,
        coalesce(
            sum(visitor_days.page_views)
            filter (
                where visitor_days.account_id is not null
                or account_visitors.account_key is not null
            ),
            0
        ) as stitched_page_views
    from visitor_days
    left join account_visitors
        on visitor_days.visitor_key = account_visitors.visitor_key
    inner join refresh on visitor_days.day <= refresh.as_of_day
    where visitor_days.page_views > 0
    group by visitor_days.day, coalesce(visitor_days.device, '(unknown)')

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
