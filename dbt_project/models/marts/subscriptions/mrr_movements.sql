with

customers as (

    select * from {{ ref('int_mrr_customers') }}

),

months as (

    select * from {{ ref('int_months') }}

),

refresh as (

    select * from {{ source('run', 'refresh') }}

),

changed as (

    select
        *,
        end_mrr - revalued_start_mrr as change
    from customers

),

final as (

    select
        changed.customer_id,
        changed.month,
        refresh.currency,
        changed.start_mrr,
        cast(changed.revalued_start_mrr - changed.start_mrr as decimal(18, 4))
            as fx_effect,
        {{ amount_of('new') }} as new_mrr,
        {{ amount_of('reactivation') }} as reactivation_mrr,
        {{ amount_of('expansion') }} as expansion_mrr,
        {{ amount_of('contraction') }} as contraction_mrr,
        {{ amount_of('churn') }} as churn_mrr,
        changed.end_mrr,
        changed.movement,
        changed.is_involuntary,
        months.is_complete_month
    from changed
    inner join months on changed.month = months.month
    cross join refresh

)

select * from final
