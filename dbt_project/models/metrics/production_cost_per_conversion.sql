with

content as (

    -- What a story cost is unknown where nobody states it, not nothing: it would make
    -- its purchases free.
    select * from {{ ref('stg_content') }}
    where production_cost is not null

),

bought as (

    select
        conversions.day,
        content.section,
        1 as conversions,
        cast(0 as decimal(18, 4)) as cost
    from {{ ref('int_conversions') }} as conversions
    inner join content on conversions.content_id = content.content_id

),

published as (

    select
        {{ local_day('content.published_at', 'refresh.time_zone') }} as day,
        content.section,
        0 as conversions,
        content.production_cost as cost
    from content
    inner join {{ source('run', 'refresh') }} as refresh
        on content.published_at < refresh.as_of_end_at

),

first_days as (

    select min(day) as day from bought

),

counted as (

    select * from bought
    union all
    select published.* from published
    inner join first_days on published.day >= first_days.day

),

final as (

    {{ by_segments(
        'counted',
        numerator='sum(cost)',
        denominator='sum(conversions)',
        n='sum(conversions)',
        segments=['section']
    ) }}

)

select * from final
