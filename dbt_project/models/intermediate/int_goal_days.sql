{#
  How a goal is measured on every day of its period, and how its metric stood in the year before
  (is_running false), which says by how much it varies. Decision 0016: what `actual` is.
#}
with

goals as (

    select * from {{ source('run', 'goals') }}

),

metrics as (

    select * from {{ source('run', 'metrics') }}

),

refresh as (

    select * from {{ source('run', 'refresh') }}

),

values_by_day as (

    select * from {{ ref('int_metric_days') }}

),

measured as (

    select
        goals.goal_id,
        goals.start_day,
        goals.end_day,
        goals.baseline,
        goals.target,
        goals.pace,
        metrics.metric,
        metrics.kind,
        metrics.grain,
        metrics.direction,
        metrics.lowest,
        metrics.highest,
        coalesce(metrics.window_days, 1) as window_days,
        {{ days_between('goals.start_day', 'goals.end_day') }} + 1 as total_days
    from goals
    inner join metrics on goals.metric = metrics.metric
    cross join refresh
    where goals.start_day <= refresh.as_of_day

),

parts as (

    select
        measured.*,
        parts.part_id,
        part_goals.segment_type,
        part_goals.segment
    from measured
    inner join {{ source('run', 'goal_parts') }} as parts
        on measured.goal_id = parts.goal_id
    inner join goals as part_goals on parts.part_id = part_goals.goal_id

),

series as (

    select
        parts.goal_id,
        parts.part_id,
        parts.kind,
        parts.grain,
        parts.window_days,
        parts.start_day,
        parts.end_day,
        values_by_day.day,
        coalesce(
            lead(values_by_day.day) over (
                partition by parts.goal_id, parts.part_id order by values_by_day.day
            ),
            {{ add_days('refresh.as_of_day', 1) }}
        ) as next_day,
        values_by_day.numerator,
        values_by_day.denominator,
        values_by_day.n
    from parts
    cross join refresh
    inner join values_by_day
        on
            parts.metric = values_by_day.metric
            and parts.segment_type = values_by_day.segment_type
            and parts.segment = values_by_day.segment

),

first_days as (

    select
        goal_id,
        min(day) as first_day
    from series
    group by goal_id

),

begun as (

    -- From its first day on, of whatever segment, a metric is known: no row is nothing.
    select
        metric,
        min(day) as first_day
    from values_by_day
    group by metric

),

days as (

    -- Every day of its period, whether its metric has a value or not.
    select
        measured.goal_id,
        measured.start_day,
        {{ each_number(
            'least(0, coalesce(' ~ days_between('measured.start_day', 'greatest(
                first_days.first_day, ' ~ add_days('measured.start_day', -364) ~ ')')
            ~ ', 0))',
            days_between(
                'measured.start_day', 'least(measured.end_day, refresh.as_of_day)'
            )
        ) }} as place
    from measured
    cross join refresh
    left join first_days on measured.goal_id = first_days.goal_id

),

spine as (

    select
        goal_id,
        {{ add_days('start_day', 'place') }} as day,
        place >= 0 as is_running
    from days

),

flows as (

    select
        series.goal_id,
        series.day,
        sum(series.numerator) as numerator,
        sum(series.n) as n
    from series
    where series.kind = 'flow'
    group by series.goal_id, series.day

),

flow_days as (

    select
        spine.goal_id,
        spine.day,
        spine.day as observed_day,
        coalesce(sum(flows.numerator) over since_first, 0) as level,
        coalesce(sum(flows.numerator) over so_far, 0) as numerator,
        cast(null as decimal(38, 6)) as denominator,
        coalesce(sum(flows.n) over so_far, 0) as n
    from spine
    inner join measured on spine.goal_id = measured.goal_id and measured.kind = 'flow'
    inner join begun
        on measured.metric = begun.metric and spine.day >= begun.first_day
    left join flows on spine.goal_id = flows.goal_id and spine.day = flows.day
    window
        since_first as (
            partition by spine.goal_id
            order by spine.day rows between unbounded preceding and current row
        ),
        so_far as (
            partition by spine.goal_id, spine.is_running
            order by spine.day rows between unbounded preceding and current row
        )

),

windowed as (

    -- Ratios of days look back, stocks and months at the last there is.
    select
        spine.goal_id,
        spine.day,
        max(series.day) as observed_day,
        sum(series.numerator) as numerator,
        sum(series.denominator) as denominator,
        sum(series.n) as n
    from spine
    inner join series
        on
            spine.goal_id = series.goal_id
            and series.kind = 'ratio' and series.grain = 'day'
            and spine.day >= series.day
            and {{ days_between('series.day', 'spine.day') }} < series.window_days
    group by spine.goal_id, spine.day

    union all

    select
        spine.goal_id,
        spine.day,
        max(series.day) as observed_day,
        sum(series.numerator) as numerator,
        sum(series.denominator) as denominator,
        sum(series.n) as n
    from spine
    inner join series
        on
            spine.goal_id = series.goal_id
            and (series.kind = 'stock' or series.kind = 'ratio')
            and (series.kind = 'stock' or series.grain = 'month')
            and spine.day >= series.day
            and spine.day < series.next_day
    group by spine.goal_id, spine.day

),

levels as (

    select
        goal_id,
        day,
        observed_day,
        cast(level as double) as level,
        numerator,
        denominator,
        n
    from flow_days

    union all

    select
        windowed.goal_id,
        windowed.day,
        windowed.observed_day,
        case
            when measured.kind = 'ratio'
                then cast(windowed.numerator as double)
                    / nullif(cast(windowed.denominator as double), 0)
            else cast(windowed.numerator as double)
        end as level,
        windowed.numerator,
        windowed.denominator,
        windowed.n
    from windowed
    inner join measured on windowed.goal_id = measured.goal_id

),

last_year as (

    -- The same weekdays a year ago, none of them a day of the goal itself: the last day
    -- or two of a calendar year have none.
    select
        measured.goal_id,
        flows.day,
        cast(sum(flows.numerator) over so_far as double)
        / nullif(cast(sum(flows.numerator) over whole as double), 0) as share
    from measured
    inner join flows
        on
            measured.goal_id = flows.goal_id
            and flows.day >= {{ add_days('measured.start_day', -364) }}
            and flows.day <= {{ add_days('measured.end_day', -364) }}
            and flows.day < measured.start_day
    where measured.pace = 'seasonal'
    window
        so_far as (
            partition by measured.goal_id
            order by flows.day rows between unbounded preceding and current row
        ),
        whole as (partition by measured.goal_id)

),

seasonal as (

    -- Whether last year can say it, and if not, why.
    select
        measured.goal_id,
        case
            when
                coalesce(first_days.first_day, measured.start_day)
                > {{ add_days('measured.start_day', -364) }}
                then 'last year''s same period is not there in full'
            when count(last_year.share) = 0
                then 'in last year''s same period nothing came in on the whole'
            when min(last_year.share) < 0 or max(last_year.share) > 1
                then 'last year''s sum stood below 0 or above its end on some day'
        end as season_problem
    from measured
    left join first_days on measured.goal_id = first_days.goal_id
    left join last_year on measured.goal_id = last_year.goal_id
    where measured.pace = 'seasonal'
    group by measured.goal_id, measured.start_day, first_days.first_day

),

seasons as (

    -- A day on which nothing came in yet last year is at nothing.
    select
        spine.goal_id,
        spine.day,
        coalesce(max_by(last_year.share, last_year.day), 0) as share
    from spine
    inner join seasonal
        on spine.goal_id = seasonal.goal_id and seasonal.season_problem is null
    left join last_year
        on
            spine.goal_id = last_year.goal_id
            and {{ add_days('spine.day', -364) }} >= last_year.day
    where spine.is_running
    group by spine.goal_id, spine.day

),

paced as (

    select
        spine.goal_id,
        spine.day,
        spine.is_running,
        measured.kind,
        measured.grain,
        measured.direction,
        measured.lowest,
        measured.highest,
        measured.window_days,
        measured.total_days,
        measured.baseline,
        measured.target,
        measured.end_day,
        levels.observed_day,
        levels.level,
        levels.numerator,
        levels.denominator,
        levels.n,
        first_days.first_day is null and begun.first_day <= spine.day as lacks_segment,
        seasonal.season_problem,
        case
            when not spine.is_running then null
            when spine.day = measured.end_day then 1.0
            else coalesce(
                    seasons.share,
                    ({{ days_between('measured.start_day', 'spine.day') }} + 1.0)
                    / measured.total_days
                )
        end as share_elapsed
    from spine
    inner join measured on spine.goal_id = measured.goal_id
    left join levels on spine.goal_id = levels.goal_id and spine.day = levels.day
    left join first_days on spine.goal_id = first_days.goal_id
    left join begun on measured.metric = begun.metric
    left join seasonal on spine.goal_id = seasonal.goal_id
    left join seasons on spine.goal_id = seasons.goal_id and spine.day = seasons.day

),

actuals as (

    select
        *,
        case
            when not is_running then null
            when kind = 'flow'
                then cast(numerator as double) + baseline * (1 - share_elapsed)
            else level
        end as actual
    from paced

),

final as (

    select
        goal_id,
        day,
        is_running,
        kind,
        grain,
        direction,
        lowest,
        highest,
        window_days,
        total_days,
        end_day,
        baseline,
        target,
        observed_day,
        level,
        numerator,
        denominator,
        cast(n as bigint) as n,
        coalesce(lacks_segment, false) as lacks_segment,
        season_problem,
        share_elapsed,
        actual,
        baseline + (target - baseline) * share_elapsed as expected,
        (actual - baseline) / (target - baseline) as attainment,
        {{ within(
            'baseline + (actual - baseline) / nullif(share_elapsed, 0)',
            'lowest',
            'highest'
        ) }} as forecast
    from actuals

)

select * from final
