with

stated as (

    select * from {{ source('run', 'initiatives') }}

),

refresh as (

    select * from {{ source('run', 'refresh') }}

),

members as (

    select
        initiative_id,
        count(customer_id) filter (where arm = 'treated') as treated_count,
        count(customer_id) filter (where arm = 'control') as control_count,
        {{ listed('problem') }} as problem
    from {{ ref('assign_initiatives') }}
    group by initiative_id

),

final as (

    select
        stated.initiative_id,
        stated.title,
        stated.goal_id,
        goals.unit,
        stated.owner,
        stated.start_day,
        stated.end_day,
        case
            when stated.start_day > refresh.as_of_day then 'planned'
            when coalesce(stated.end_day < refresh.as_of_day, false) then 'over'
            else 'running'
        end as state,
        cast(stated.cost as decimal(18, 4)) as cost,
        stated.outcome,
        stated.period_days,
        stated.treated_rule,
        stated.control_rule,
        coalesce(members.treated_count, 0) as treated_count,
        case
            when stated.control_rule <> 'others' then coalesce(members.control_count, 0)
        end as control_count,
        members.problem
    from stated
    cross join refresh
    left join {{ source('run', 'goals') }} as goals on stated.goal_id = goals.goal_id
    left join members on stated.initiative_id = members.initiative_id

)

select * from final
