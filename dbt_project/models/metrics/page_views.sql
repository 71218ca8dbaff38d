with

traffic as (

    select * from {{ ref('int_daily_traffic') }}

),

content_days as (

    select * from {{ ref('int_content_days') }}

),

content as (

    select * from {{ ref('stg_content') }}

),

by_section as (

    select
        content_days.day,
        content.section,
        sum(content_days.page_views) as page_views
    from content_days
    inner join content on content_days.content_id = content.content_id
    where content.section is not null
    group by content_days.day, content.section

),

counted as (

    select
        day,
        device,
        page_views
    from traffic

),

final as (

    {{ by_segments(
        'counted',
        numerator='sum(page_views)',
        n='sum(page_views)',
        segments=['device']
    ) }}

    union all

    select
        day,
        'section' as segment_type,
        section as segment,
        page_views as numerator,
        null as denominator,
        page_views as n
    from by_section

)

select * from final
