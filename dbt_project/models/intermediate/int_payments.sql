with

payments as (

    select * from {{ ref('stg_payments') }}

),

refresh as (

    select * from {{ source('run', 'refresh') }}

),

rates as (

    select * from {{ ref('int_monthly_rates') }}

),

local as (

    select
        payments.payment_id,
        payments.account_id as customer_id,
        payments.kind,
        payments.subscription_id,
        payments.amount,
        payments.currency,
        {{ local_day('payments.paid_at', 'refresh.time_zone') }} as day
    from payments
    cross join refresh
    where payments.paid_at < refresh.as_of_end_at

),

final as (

    select
        local.payment_id,
        local.customer_id,
        {{ surrogate_key('local.customer_id') }} as customer_key,
        local.kind,
        local.subscription_id,
        local.day,
        {{ month_of('local.day') }} as month,
        cast(
            round(cast(local.amount as double) * rates.rate, 4) as decimal(18, 4)
        ) as amount
    from local
    left join rates
        on
            local.currency = rates.currency
            and {{ month_of('local.day') }} = rates.month

)

select * from final
