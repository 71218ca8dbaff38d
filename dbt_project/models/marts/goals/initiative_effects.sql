with

initiatives as (

    select * from {{ ref('initiatives') }}

),

estimated as (

    select * from {{ ref('effect_initiatives') }}

),

refresh as (

    select * from {{ source('run', 'refresh') }}

),

today as (

    select
        initiatives.initiative_id,
        refresh.as_of_day,
        initiatives.title,
        initiatives.goal_id,
        initiatives.outcome,
        estimated.effect,
        estimated.standard_error,
        estimated.lower_bound,
        estimated.upper_bound,
        coalesce(estimated.treated_customers, 0) as treated_customers,
        coalesce(estimated.control_customers, 0) as control_customers,
        coalesce(estimated.treated_periods, 0) as treated_periods,
        coalesce(estimated.periods_before, 0) as periods_before,
        coalesce(estimated.periods_after, 0) as periods_after,
        estimated.pre_trend,
        estimated.pre_trend_p,
        estimated.placebo_effect,
        estimated.placebo_lower_bound,
        estimated.placebo_upper_bound,
        estimated.effect * estimated.treated_periods as effect_total,
        initiatives.cost,
        case
            when coalesce(estimated.is_shown, false) then 'shown' else 'not shown'
        end as verdict,
        case
            when not coalesce(estimated.is_shown, false) then null
            when estimated.effect > 0 then 'helps'
            else 'harms'
        end as direction,
        case
            when initiatives.problem is not null then initiatives.problem
            when initiatives.state = 'planned' then 'it has not started'
            when estimated.initiative_id is null
                then 'nobody who is treated has an outcome in a whole period'
            else estimated.reason
        end as reason
    from initiatives
    cross join refresh
    left join estimated on initiatives.initiative_id = estimated.initiative_id

),

valued as (

    select
        *,
        effect_total / nullif(cast(cost as double), 0) as effect_per_euro,
        case when effect_total > 0 then cast(cost as double) / effect_total end
            as cost_per_unit
    from today

),

every as (

    select
        initiative_id,
        as_of_day,
        title,
        goal_id,
        outcome,
        effect,
        standard_error,
        lower_bound,
        upper_bound,
        treated_customers,
        control_customers,
        treated_periods,
        periods_before,
        periods_after,
        pre_trend,
        pre_trend_p,
        placebo_effect,
        placebo_lower_bound,
        placebo_upper_bound,
        effect_total,
        cost,
        effect_per_euro,
        cost_per_unit,
        verdict,
        direction,
        reason
    from valued

    union all

    -- What was found on other days stays as it was published then, and so does what was
    -- found today of what is not stated any more.
    select
        published.initiative_id,
        published.as_of_day,
        published.title,
        published.goal_id,
        published.outcome,
        published.effect,
        published.standard_error,
        published.lower_bound,
        published.upper_bound,
        published.treated_customers,
        published.control_customers,
        published.treated_periods,
        published.periods_before,
        published.periods_after,
        published.pre_trend,
        published.pre_trend_p,
        published.placebo_effect,
        published.placebo_lower_bound,
        published.placebo_upper_bound,
        published.effect_total,
        published.cost,
        published.effect_per_euro,
        published.cost_per_unit,
        published.verdict,
        published.direction,
        published.reason
    from {{ source('run', 'published_initiative_effects') }} as published
    left join today
        on
            published.initiative_id = today.initiative_id
            and published.as_of_day = today.as_of_day
    where today.initiative_id is null

),

final as (

    select
        initiative_id,
        as_of_day,
        as_of_day = max(as_of_day) over (partition by initiative_id) as is_latest,
        title,
        goal_id,
        outcome,
        effect,
        standard_error,
        lower_bound,
        upper_bound,
        treated_customers,
        control_customers,
        treated_periods,
        periods_before,
        periods_after,
        pre_trend,
        pre_trend_p,
        placebo_effect,
        placebo_lower_bound,
        placebo_upper_bound,
        effect_total,
        cost,
        effect_per_euro,
        cost_per_unit,
        verdict,
        direction,
        reason
    from every

)

select * from final
