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

bought as (

    -- A donation buys nothing, a refund gives back.
    select
        account_id,
        paid_at as bought_at
    from payments
    where kind in ('subscription', 'purchase') and amount > 0

    union all

    -- A trial is free, and what begins unpaid is bought when it is paid.
    select
        account_id,
        started_at as bought_at
    from subscriptions
    where status = 'active' and amount > 0

),

final as (

    select
        bought.account_id as customer_id,
        min({{ local_day('bought.bought_at', 'refresh.time_zone') }}) as day
    from bought
    inner join refresh on bought.bought_at < refresh.as_of_end_at
    group by bought.account_id

)

select * from final
