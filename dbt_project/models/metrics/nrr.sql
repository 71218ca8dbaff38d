with

refresh as (

    select * from {{ source('run', 'refresh') }}

),

mrr as (

    select * from {{ ref('mrr_monthly') }}

),

final as (

    select
        {{ day_of_month('mrr.month') }} as day,
        case when mrr.plan = '(all plans)' then 'all' else 'plan' end as segment_type,
        case when mrr.plan = '(all plans)' then '(all)' else mrr.plan end as segment,
        mrr.start_mrr + mrr.fx_effect + mrr.expansion_mrr + mrr.contraction_mrr
        + mrr.churn_mrr as numerator,
        mrr.start_mrr + mrr.fx_effect as denominator,
        mrr.starting_customers as n
    from mrr
    cross join refresh
    where mrr.start_mrr + mrr.fx_effect > 0 and mrr.is_complete_month

)

select * from final
