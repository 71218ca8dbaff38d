with

risks as (

    select * from {{ ref('int_churn_risks') }}

),

reasons as (

    select
        customer_id,
        max(case when reason_rank = 1 then reason end) as reason_1,
        max(case when reason_rank = 2 then reason end) as reason_2,
        max(case when reason_rank = 3 then reason end) as reason_3
    from {{ ref('int_churn_reasons') }}
    group by customer_id

),

paying as (

    select
        movements.customer_id,
        movements.end_mrr
    from {{ ref('mrr_movements') }} as movements
    inner join {{ source('run', 'refresh') }} as refresh
        on movements.month = {{ month_of('refresh.as_of_day') }}

),

contracts as (

    select * from {{ ref('int_contractual_value') }}

),

engagement as (

    select * from {{ ref('engagement') }}

),

final as (

    select
        risks.customer_id,
        risks.plan,
        cast(paying.end_mrr as decimal(18, 4)) as mrr,
        cast(floor(risks.tenure_days) as bigint) as tenure_days,
        engagement.active_days_30d,
        -- Paying, not using (definitions); unknown without events.
        engagement.active_days_30d = 0 as is_sleeper,
        risks.probability,
        risks.plan_probability,
        cast(
            round(risks.probability * cast(paying.end_mrr as double), 4)
            as decimal(18, 4)
        ) as mrr_at_risk,
        cast(
            round(
                risks.probability * cast(contracts.contractual_value_base as double), 4
            ) as decimal(18, 4)
        ) as value_at_risk,
        reasons.reason_1,
        reasons.reason_2,
        reasons.reason_3,
        risks.method,
        risks.method_reason
    from risks
    left join paying on risks.customer_id = paying.customer_id
    left join contracts on risks.customer_id = contracts.customer_id
    left join engagement on risks.customer_id = engagement.customer_id
    left join reasons on risks.customer_id = reasons.customer_id

)

select * from final
