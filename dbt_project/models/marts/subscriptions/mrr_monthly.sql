with

plans as (

    select * from {{ ref('int_mrr_plans') }}

),

movements as (

    select * from {{ ref('mrr_movements') }}

),

months as (

    select * from {{ ref('int_months') }}

),

lines as (

    select
        month,
        plan,
        start_mrr,
        revalued_start_mrr - start_mrr as fx_effect,
        case when movement = 'new' then moved_mrr else 0 end as new_mrr,
        case when movement = 'reactivation' then moved_mrr else 0 end
            as reactivation_mrr,
        case when movement = 'expansion' then moved_mrr else 0 end as expansion_mrr,
        case when movement = 'contraction' then moved_mrr else 0 end
            as contraction_mrr,
        case when movement = 'churn' then moved_mrr else 0 end as churn_mrr,
        switched_in_mrr,
        switched_out_mrr,
        end_mrr,
        movement,
        is_involuntary
    from plans

    union all

    select
        month,
        '(all plans)' as plan,
        start_mrr,
        fx_effect,
        new_mrr,
        reactivation_mrr,
        expansion_mrr,
        contraction_mrr,
        churn_mrr,
        cast(0 as decimal(18, 4)) as switched_in_mrr,
        cast(0 as decimal(18, 4)) as switched_out_mrr,
        end_mrr,
        movement,
        is_involuntary
    from movements

),

first_months as (

    select
        plan,
        min(month) as month
    from lines
    group by plan

),

-- Where nobody is left, nothing is: from its first month on a plan has a row of every
-- month.
spine as (

    select
        months.month,
        first_months.plan,
        cast(0 as decimal(18, 4)) as start_mrr,
        cast(0 as decimal(18, 4)) as fx_effect,
        cast(0 as decimal(18, 4)) as new_mrr,
        cast(0 as decimal(18, 4)) as reactivation_mrr,
        cast(0 as decimal(18, 4)) as expansion_mrr,
        cast(0 as decimal(18, 4)) as contraction_mrr,
        cast(0 as decimal(18, 4)) as churn_mrr,
        cast(0 as decimal(18, 4)) as switched_in_mrr,
        cast(0 as decimal(18, 4)) as switched_out_mrr,
        cast(0 as decimal(18, 4)) as end_mrr,
        'unchanged' as movement,
        false as is_involuntary
    from first_months
    inner join months on first_months.month <= months.month

),

every_line as (

    select * from lines
    union all
    select * from spine

),

summed as (

    select
        month,
        plan,
        sum(start_mrr) as start_mrr,
        sum(fx_effect) as fx_effect,
        sum(new_mrr) as new_mrr,
        sum(reactivation_mrr) as reactivation_mrr,
        sum(expansion_mrr) as expansion_mrr,
        sum(contraction_mrr) as contraction_mrr,
        sum(churn_mrr) as churn_mrr,
        sum(switched_in_mrr) as switched_in_mrr,
        sum(switched_out_mrr) as switched_out_mrr,
        sum(end_mrr) as end_mrr,
        count(*) filter (where start_mrr > 0) as starting_customers,
        count(*) filter (where start_mrr > 0 and movement = 'churn')
            as churned_customers,
        count(*) filter (
            where start_mrr > 0 and movement = 'churn' and is_involuntary
        ) as involuntary_churned_customers,
        count(*) filter (where end_mrr > 0) as paying_customers,
        -- Rates divide by the start at the month's own rate, as their numerators are.
        cast(nullif(sum(start_mrr + fx_effect), 0) as double) as opening_mrr
    from every_line
    group by month, plan

),

final as (

    select
        summed.month,
        summed.plan,
        cast(summed.start_mrr as decimal(18, 4)) as start_mrr,
        cast(summed.fx_effect as decimal(18, 4)) as fx_effect,
        cast(summed.new_mrr as decimal(18, 4)) as new_mrr,
        cast(summed.reactivation_mrr as decimal(18, 4)) as reactivation_mrr,
        cast(summed.expansion_mrr as decimal(18, 4)) as expansion_mrr,
        cast(summed.contraction_mrr as decimal(18, 4)) as contraction_mrr,
        cast(summed.churn_mrr as decimal(18, 4)) as churn_mrr,
        cast(summed.switched_in_mrr as decimal(18, 4)) as switched_in_mrr,
        cast(summed.switched_out_mrr as decimal(18, 4)) as switched_out_mrr,
        cast(summed.end_mrr as decimal(18, 4)) as end_mrr,
        summed.starting_customers,
        summed.churned_customers,
        summed.involuntary_churned_customers,
        summed.paying_customers,
        -cast(summed.churn_mrr + summed.contraction_mrr as double)
        / summed.opening_mrr as gross_mrr_churn_rate,
        -cast(
            summed.churn_mrr + summed.contraction_mrr
            + summed.expansion_mrr + summed.reactivation_mrr as double
        ) / summed.opening_mrr as net_mrr_churn_rate,
        cast(summed.churned_customers as double)
        / nullif(summed.starting_customers, 0) as logo_churn_rate,
        1 + cast(summed.churn_mrr + summed.contraction_mrr as double)
        / summed.opening_mrr as grr,
        1 + cast(
            summed.churn_mrr + summed.contraction_mrr + summed.expansion_mrr as double
        ) / summed.opening_mrr as nrr,
        cast(summed.end_mrr as double)
        / nullif(summed.paying_customers, 0) as arppu,
        months.is_complete_month
    from summed
    inner join months on summed.month = months.month

)

select * from final
