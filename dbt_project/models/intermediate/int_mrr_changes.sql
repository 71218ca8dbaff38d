with

mrr as (

    select * from {{ ref('int_mrr') }}

),

months as (

    select * from {{ ref('int_months') }}

),

rates as (

    select * from {{ ref('int_monthly_rates') }}

),

ends as (

    -- What stood at the end of a month ends it, and starts the next.
    select
        customer_id,
        month,
        plan,
        currency,
        mrr as end_amount,
        cast(0 as decimal(18, 4)) as start_amount
    from mrr

    union all

    select
        mrr.customer_id,
        months.month,
        mrr.plan,
        mrr.currency,
        cast(0 as decimal(18, 4)) as end_amount,
        mrr.mrr as start_amount
    from mrr
    inner join months on mrr.month = months.previous_month

),

by_currency as (

    select
        customer_id,
        month,
        plan,
        currency,
        sum(start_amount) as start_amount,
        sum(end_amount) as end_amount
    from ends
    group by customer_id, month, plan, currency

),

converted as (

    select
        by_currency.customer_id,
        by_currency.month,
        by_currency.plan,
        cast(
            case
                when by_currency.start_amount = 0 then 0
                else round(
                        cast(by_currency.start_amount as double) * last_rates.rate, 4
                    )
            end as decimal(18, 4)
        ) as start_mrr,
        -- One fixed rate a month: what the rate did to the start stands apart.
        cast(
            round(cast(by_currency.start_amount as double) * rates.rate, 4)
            as decimal(18, 4)
        ) as revalued_start_mrr,
        cast(
            round(cast(by_currency.end_amount as double) * rates.rate, 4)
            as decimal(18, 4)
        ) as end_mrr
    from by_currency
    inner join months on by_currency.month = months.month
    left join rates
        on
            by_currency.currency = rates.currency
            and by_currency.month = rates.month
    left join rates as last_rates
        on
            by_currency.currency = last_rates.currency
            and months.previous_month = last_rates.month

),

final as (

    select
        customer_id,
        month,
        plan,
        cast(sum(start_mrr) as decimal(18, 4)) as start_mrr,
        cast(sum(revalued_start_mrr) as decimal(18, 4)) as revalued_start_mrr,
        cast(sum(end_mrr) as decimal(18, 4)) as end_mrr
    from converted
    group by customer_id, month, plan

)

select * from final
