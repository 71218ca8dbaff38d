with

goals as (

    select * from {{ source('run', 'goals') }}

),

refresh as (

    select * from {{ source('run', 'refresh') }}

),

goal_days as (

    select * from {{ ref('int_goal_days') }}
    where is_running

),

projected as (

    select * from {{ ref('forecast_goals') }}

),

weighing as (

    select
        goals.goal_id,
        goals.start_day,
        goals.end_day,
        {{ each_number(
            '0',
            days_between('goals.start_day', 'least(goals.end_day, refresh.as_of_day)')
        ) }} as place
    from goals
    cross join refresh
    where goals.rollup = 'weighted' and goals.start_day <= refresh.as_of_day

),

weighed_days as (

    select
        goal_id,
        start_day,
        end_day,
        {{ add_days('start_day', 'place') }} as day
    from weighing

),

weighed_parts as (

    -- Who has not begun has nothing to show and nothing is expected yet; who has ended
    -- stays where he ended.
    select
        weighed_days.goal_id,
        weighed_days.day,
        weighed_days.start_day,
        weighed_days.end_day,
        parts.weight,
        case
            when part_goals.start_day > weighed_days.day then 0.0
            else goal_days.attainment
        end as attainment,
        case
            when part_goals.start_day > weighed_days.day then 0.0
            else goal_days.share_elapsed
        end as share_elapsed,
        case
            when part_goals.start_day > weighed_days.day then 0.0
            else
                (goal_days.forecast - goal_days.baseline)
                / (goal_days.target - goal_days.baseline)
        end as forecast
    from weighed_days
    inner join {{ source('run', 'goal_parts') }} as parts
        on weighed_days.goal_id = parts.goal_id
    inner join goals as part_goals on parts.part_id = part_goals.goal_id
    left join goal_days
        on
            parts.part_id = goal_days.goal_id
            and least(weighed_days.day, part_goals.end_day) = goal_days.day

),

weighed as (

    select
        goal_id,
        day,
        end_day,
        ({{ days_between('start_day', 'day') }} + 1.0)
        / ({{ days_between('start_day', 'end_day') }} + 1) as share_elapsed,
        -- In the order of the weights: sums of doubles depend on it.
        case
            when count(attainment) = count(*)
                then round(sum(cast(weight * attainment as decimal(28, 12))), 12)
        end as attainment,
        round(sum(cast(weight * share_elapsed as decimal(28, 12))), 12) as expected,
        case
            when count(forecast) = count(*)
                then round(sum(cast(weight * forecast as decimal(28, 12))), 12)
        end as forecast
    from weighed_parts
    group by goal_id, day, start_day, end_day

),

every as (

    select
        goal_days.goal_id,
        goal_days.day,
        goal_days.baseline,
        goal_days.target,
        goal_days.actual,
        case when goal_days.kind = 'flow' then goal_days.numerator end as so_far,
        case when goal_days.kind <> 'flow' then goal_days.numerator end as numerator,
        goal_days.denominator,
        goal_days.n,
        goal_days.observed_day,
        goal_days.share_elapsed,
        goal_days.expected,
        goal_days.attainment,
        goal_days.forecast,
        {{ within('projected.forecast_low', 'goal_days.lowest', 'goal_days.highest') }}
            as forecast_low,
        {{ within('projected.forecast_high', 'goal_days.lowest', 'goal_days.highest') }}
            as forecast_high,
        projected.probability,
        goal_days.day = goal_days.end_day as is_over,
        case
            when goals.pace = 'linear' then 'linear'
            when goal_days.season_problem is not null then 'linear instead of seasonal'
            else 'seasonal'
        end as pace_method,
        case
            when
                goal_days.lacks_segment
                and goals.rollup = 'own'
                and goals.segment_type <> 'all'
                then 'its metric has values, but none of '
                    || goals.segment_type || ' ' || goals.segment
            when goal_days.lacks_segment
                then 'its metric has values, but none of what the goal is about'
            when goal_days.actual is null then 'its metric has no value yet'
            when goal_days.share_elapsed = 0
                then 'last year nothing had come in by this day: no forecast yet'
            when projected.reason is not null then projected.reason
            else goal_days.season_problem
        end as reason
    from goal_days
    inner join goals on goal_days.goal_id = goals.goal_id
    left join projected
        on goal_days.goal_id = projected.goal_id and goal_days.day = projected.day

    union all

    select
        goal_id,
        day,
        0.0 as baseline,
        1.0 as target,
        attainment as actual,
        null as so_far,
        null as numerator,
        null as denominator,
        null as n,
        null as observed_day,
        share_elapsed,
        expected,
        attainment,
        forecast,
        null as forecast_low,
        null as forecast_high,
        null as probability,
        day = end_day as is_over,
        'weighted' as pace_method,
        case
            when attainment is null then 'one of the goals it weighs has no value yet'
            else 'it weighs other goals: see theirs for how sure they are'
        end as reason
    from weighed

),

final as (

    select
        goal_id,
        day,
        baseline,
        target,
        cast(actual as double) as actual,
        cast(so_far as decimal(28, 6)) as so_far,
        cast(numerator as decimal(28, 6)) as numerator,
        cast(denominator as decimal(28, 6)) as denominator,
        cast(n as bigint) as n,
        observed_day,
        cast(share_elapsed as double) as share_elapsed,
        cast(expected as double) as expected,
        cast(attainment as double) as attainment,
        cast(forecast as double) as forecast,
        cast(forecast_low as double) as forecast_low,
        cast(forecast_high as double) as forecast_high,
        cast(probability as double) as probability,
        {{ status_of_goal('actual', 'expected', 'baseline', 'target') }} as status,
        is_over,
        pace_method,
        reason
    from every

)

select * from final
