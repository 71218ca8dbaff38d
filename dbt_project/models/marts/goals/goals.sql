with recursive

stated as (

    select * from {{ source('run', 'goals') }}

),

metrics as (

    select * from {{ source('run', 'metrics') }}

),

tree as (

    select
        goal_id,
        1 as depth
    from stated
    where parent_id is null

    union all

    select
        stated.goal_id,
        tree.depth + 1 as depth
    from stated
    inner join tree on stated.parent_id = tree.goal_id

),

split as (

    -- What was promised by those who measure the same thing.
    select
        parents.goal_id,
        sum(children.target) as target,
        sum(children.baseline) as baseline
    from stated as parents
    inner join metrics on parents.metric = metrics.metric and metrics.kind <> 'ratio'
    inner join stated as children
        on
            parents.goal_id = children.parent_id
            and parents.metric = children.metric
    group by parents.goal_id

),

gaps as (

    select
        stated.goal_id || '/gap' as goal_id,
        'Not split to anybody: ' || stated.title as title,
        stated.goal_id as parent_id,
        stated.unit,
        stated.owner,
        stated.metric,
        cast(null as varchar) as segment_type,
        cast(null as varchar) as segment,
        stated.baseline - split.baseline as baseline,
        stated.target - split.target as target,
        stated.start_day,
        stated.end_day,
        stated.pace,
        'gap' as rollup,
        cast(null as double) as weight,
        true as is_gap,
        stated.position,
        tree.depth + 1 as depth
    from stated
    inner join split on stated.goal_id = split.goal_id
    inner join tree on stated.goal_id = tree.goal_id
    where abs(stated.target - split.target) > 0.000001 * abs(stated.target)

),

every as (

    select
        stated.goal_id,
        stated.title,
        stated.parent_id,
        stated.unit,
        stated.owner,
        stated.metric,
        stated.segment_type,
        stated.segment,
        stated.baseline,
        stated.target,
        stated.start_day,
        stated.end_day,
        stated.pace,
        stated.rollup,
        stated.weight,
        false as is_gap,
        stated.position,
        tree.depth
    from stated
    inner join tree on stated.goal_id = tree.goal_id

    union all

    select * from gaps

),

final as (

    select
        every.goal_id,
        every.title,
        every.parent_id,
        cast(every.depth as bigint) as depth,
        every.position,
        every.is_gap,
        every.unit,
        every.owner,
        every.metric,
        metrics.label,
        metrics.unit as metric_unit,
        metrics.kind,
        metrics.direction,
        metrics.measures,
        every.segment_type,
        every.segment,
        every.baseline,
        every.target,
        every.start_day,
        every.end_day,
        every.pace,
        every.rollup,
        every.weight
    from every
    left join metrics on every.metric = metrics.metric

)

select * from final
