with

payments as (

    select * from {{ ref('stg_payments') }}

),

subscriptions as (

    select * from {{ ref('stg_subscriptions') }}

),

refresh as (

    select * from {{ source('run', 'refresh') }}

),

paid as (

    select
        account_id as customer_id,
        paid_at as first_at
    from payments
    where kind <> 'refund' and amount > 0

    union all

    -- Where there is no ledger, or it begins later. Free periods make no customer.
    select
        account_id as customer_id,
        started_at as first_at
    from subscriptions
    where status in ('active', 'past_due') and amount > 0

),

first_paid as (

    select
        customer_id,
        min(first_at) as acquired_at
    from paid
    group by customer_id

),

final as (

    select
        first_paid.customer_id,
        {{ month_of(local_day('first_paid.acquired_at', 'refresh.time_zone')) }}
            as month
    from first_paid
    inner join refresh on first_paid.acquired_at < refresh.as_of_end_at

)

select * from final
