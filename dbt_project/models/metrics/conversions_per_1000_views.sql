with

content as (

    select * from {{ ref('stg_content') }}

),

first_days as (

    -- Before the first purchase is told, and the first step on the way to one, what
    -- stories sold is unknown.
    select min(day) as day from {{ ref('int_first_purchases') }}

    union all

    select min(day) as day
    from {{ ref('int_visitor_actions') }}
    where event_type in ('checkout', 'paywall') and content_id is not null

),

known as (

    select max(day) as first_day
    from first_days
    having count(day) = count(*)

),

bought as (

    select
        conversions.day,
        content.section,
        1 as conversions,
        0 as page_views
    from {{ ref('int_conversions') }} as conversions
    inner join content on conversions.content_id = content.content_id

),

viewed as (

    select
        content_days.day,
        content.section,
        0 as conversions,
        content_days.page_views
    from {{ ref('int_content_days') }} as content_days
    inner join known on content_days.day >= known.first_day
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
