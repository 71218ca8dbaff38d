with

stated as (

    select * from {{ source('run', 'metrics') }}

),

days as (

    select
        metric,
        min(day) as first_day,
        max(day) as last_day
    from {{ ref('int_metric_days') }}
    group by metric

),

final as (

    select
        stated.metric,
        stated.label,
        stated.meaning,
        stated.unit,
        stated.direction,
        stated.kind,
        stated.grain,
        stated.measures,
        stated.owner,
        stated.lowest,
        stated.highest,
        stated.minimum_n,
        stated.window_days,
        stated.segment_types,
        stated.feeds,
        stated.deprecated,
        days.first_day,
        days.last_day
    from stated
    left join days on stated.metric = days.metric

)

select * from final
