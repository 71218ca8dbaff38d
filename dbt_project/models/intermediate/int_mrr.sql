with

subscriptions as (

    select * from {{ ref('stg_subscriptions') }}

),

months as (

    select * from {{ ref('int_months') }}

),

refresh as (

    select * from {{ source('run', 'refresh') }}

),

priced as (

    select
        account_id as customer_id,
        plan,
        currency,
        status,
        started_at,
        ended_at,
        {{ monthly_price('amount', 'billing_period') }} as mrr
    from subscriptions
    where status in ('active', 'past_due')

),

active as (

    select
        priced.customer_id,
        priced.plan,
        priced.currency,
        months.month,
        priced.mrr
    from priced
    cross join refresh
    inner join months
        on {{ is_paid_at('priced', 'months.end_at', 'refresh.grace_days') }}

),

final as (

    select
        customer_id,
        month,
        plan,
        currency,
        cast(sum(mrr) as decimal(18, 4)) as mrr
    from active
    where mrr > 0
    group by customer_id, month, plan, currency

)

select * from final
