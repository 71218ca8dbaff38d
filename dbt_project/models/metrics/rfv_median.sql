with

refresh as (

    select * from {{ source('run', 'refresh') }}

),

readers as (

    select * from {{ ref('int_month_readers') }}

),

caps as (

    select
        month,
        {{ percentile(0.95, 'page_views') }} as page_views_cap
    from readers
    where page_views > 0
    group by month

),

scored as (

    select
        readers.month,
        {{ rfv_score(
            'readers.active_days',
            'readers.page_views',
            'caps.page_views_cap',
            'readers.recency_days'
        ) }} as score
    from readers
    inner join caps on readers.month = caps.month

),

final as (

    select
        {{ day_of_month('scored.month') }} as day,
        'all' as segment_type,
        '(all)' as segment,
        cast({{ percentile(0.5, 'scored.score') }} as decimal(28, 6)) as numerator,
        null as denominator,
        count(*) as n
    from scored
    cross join refresh
    group by {{ day_of_month('scored.month') }}

)

select * from final
