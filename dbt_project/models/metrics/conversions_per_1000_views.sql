with

content as (

    select * from {{ ref('stg_content') }}

),

bought as (

    select
        conversions.day,
        content.section,
        1 as conversions,
        0 as page_views,
        cast(0 as decimal(18, 4)) as cost
    from {{ ref('int_conversions') }} as conversions
    inner join content on conversions.content_id = content.content_id

),

viewed as (

    select
        content_days.day,
        content.section,
        0 as conversions,
        content_days.page_views,
        cast(0 as decimal(18, 4)) as cost
    from {{ ref('int_content_days') }} as content_days
    inner join content on content_days.content_id = content.content_id

),

counted as (

    select * from bought
    union all
    select * from viewed

),

final as (

    {{ by_segments(
        'counted',
        numerator='1000 * sum(conversions)',
        denominator='sum(page_views)',
        n='sum(page_views)',
        segments=['section']
    ) }}

)

select * from final
