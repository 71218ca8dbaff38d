with

goals as (

    select * from {{ ref('goals') }}
    where not is_gap

),

aligned as (

    select * from {{ ref('align_goals') }}

),

pairs as (

    select
        goal_id,
        other_goal_id,
        relation,
        period,
        association,
        lower_bound,
        upper_bound,
        n,
        verdict,
        reason
    from aligned

    union all

    select
        goals.goal_id,
        goals.parent_id as other_goal_id,
        'parent' as relation,
        null as period,
        null as association,
        null as lower_bound,
        null as upper_bound,
        0 as n,
        'not shown' as verdict,
        case
            when goals.metric is null or parents.metric is null
                then 'one of them weighs other goals and has no metric of its own'
            else 'one of them has no value yet'
        end as reason
    from goals
    inner join goals as parents on goals.parent_id = parents.goal_id
    left join aligned
        on
            goals.goal_id = aligned.goal_id
            and goals.parent_id = aligned.other_goal_id
    where aligned.goal_id is null

),

final as (

    select
        pairs.goal_id,
        pairs.relation,
        pairs.other_goal_id,
        goals.unit,
        others.unit as other_unit,
        goals.measures,
        pairs.period,
        pairs.association,
        pairs.lower_bound,
        pairs.upper_bound,
        cast(pairs.n as bigint) as n,
        pairs.verdict,
        pairs.reason
    from pairs
    inner join goals on pairs.goal_id = goals.goal_id
    inner join goals as others on pairs.other_goal_id = others.goal_id

)

select * from final
