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

billed as (

    select
        account_id as customer_id,
        plan,
        currency,
        status,
        started_at,
        ended_at,
        cast(amount * 10000 as bigint) * case
            when billing_period = 'week' then 52 else 1
        end as amount_e4,
        case billing_period
            when 'month' then 1
            when 'quarter' then 3
            else 12
        end as period_months
    from subscriptions
    where status in ('active', 'past_due')

),

priced as (

    select
        customer_id,
        plan,
        currency,
        status,
        started_at,
        ended_at,
        -- Price by the month (definitions: "MRR") in whole cents, a half cent up. In
        -- integers, since 99.90 a year is 8.325 a month, which no double holds.
        cast(
            floor(
                cast(2 * amount_e4 + 100 * period_months as double)
                / (200 * period_months)
            ) / 100 as decimal(18, 4)
        ) as mrr
    from billed

),

active as (

    select
        priced.customer_id,
        priced.plan,
        priced.currency,
        months.month,
        priced.mrr
    from priced
    inner join months
        on
            priced.started_at < months.end_at
            and (priced.ended_at is null or priced.ended_at >= months.end_at)
    cross join refresh
    where
        priced.status = 'active'
        -- Unpaid beyond the grace is no recurring revenue.
        or {{ seconds_between('priced.started_at', 'months.end_at') }}
        <= refresh.grace_days * 86400

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
