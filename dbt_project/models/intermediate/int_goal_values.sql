{{ config(materialized='view') }}

with

goals as (

    select * from {{ source('run', 'goals') }}

),

metrics as (

    select * from {{ source('run', 'metrics') }}

),

metric_values as (

    select * from {{ ref('metric_values') }}
    where period in ('week', 'month') and is_complete

),

summed as (

    -- A roll-up's series is that of its parts together.
    select
        goals.goal_id,
        metric_values.metric,
        metric_values.period,
        metric_values.period_start,
        sum(metric_values.numerator) as numerator,
        sum(metric_values.denominator) as denominator
    from goals
    inner join {{ source('run', 'goal_parts') }} as parts
        on goals.goal_id = parts.goal_id
    inner join goals as part_goals on parts.part_id = part_goals.goal_id
    inner join metric_values
        on
            goals.metric = metric_values.metric
            and part_goals.segment_type = metric_values.segment_type
            and part_goals.segment = metric_values.segment
    group by
        goals.goal_id,
        metric_values.metric,
        metric_values.period,
        metric_values.period_start

),

final as (

    select
        goals.goal_id,
        coalesce(goals.parent_id, '') as parent_id,
        goals.unit,
        goals.metric,
        metrics.grain,
        metrics.direction,
        summed.period,
        summed.period_start,
        case
            when metrics.kind = 'ratio'
                then cast(summed.numerator as double)
                    / nullif(cast(summed.denominator as double), 0)
            else cast(summed.numerator as double)
        end as value
    from summed
    inner join goals on summed.goal_id = goals.goal_id
    inner join metrics on goals.metric = metrics.metric

)

select * from final
