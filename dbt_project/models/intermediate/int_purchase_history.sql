with

payments as (

    select * from {{ ref('int_payments') }}

),

calibration as (

    select * from {{ ref('int_calibration') }}

),

samples as (

    select
        'current' as sample,
        holdout_end as last_day
    from calibration

    union all

    select
        'calibration' as sample,
        calibration_end as last_day
    from calibration

),

single as (

    -- What was bought or given without a contract, and what was paid back of it. The
    -- kind decides: a purchase beside a subscription is a purchase. A free one is one
    -- too, as in the published analyses of CDNOW.
    select
        customer_id,
        day,
        amount,
        kind in ('purchase', 'donation') and coalesce(amount, 0) >= 0 as is_purchase
    from payments
    where
        kind in ('purchase', 'donation')
        or (kind = 'refund' and subscription_id is null)

),

days as (

    select
        customer_id,
        day,
        bool_or(is_purchase) as has_purchase,
        count(*) = count(amount) as is_known,
        sum(amount) as amount
    from single
    group by customer_id, day

),

numbered as (

    -- A day of nothing but refunds belongs to the purchase day before it: what was paid
    -- back the ledger leaves open.
    select
        customer_id,
        day,
        is_known,
        amount,
        sum(case when has_purchase then 1 else 0 end) over (
            partition by customer_id
            order by day
            rows between unbounded preceding and current row
        ) as purchase_number
    from days

),

purchase_days as (

    select
        samples.sample,
        samples.last_day,
        numbered.customer_id,
        numbered.purchase_number,
        min(numbered.day) as day,
        case
            when bool_and(numbered.is_known) then greatest(sum(numbered.amount), 0)
        end as purchase_value
    from numbered
    inner join samples on numbered.day <= samples.last_day
    where numbered.purchase_number > 0
    group by
        samples.sample,
        samples.last_day,
        numbered.customer_id,
        numbered.purchase_number

),

final as (

    select
        customer_id,
        sample,
        cast(count(*) - 1 as bigint) as frequency,
        {{ days_between('min(day)', 'max(day)') }} as recency_days,
        {{ days_between('min(day)', 'last_day') }} as age_days,
        cast(
            count(purchase_value) filter (where purchase_number > 1) as bigint
        ) as valued_repeat_days,
        cast(
            coalesce(sum(purchase_value) filter (where purchase_number > 1), 0)
            as decimal(18, 4)
        ) as repeat_value,
        cast(
            max(purchase_value) filter (where purchase_number = 1) as decimal(18, 4)
        ) as first_value
    from purchase_days
    group by customer_id, sample, last_day

)

select * from final
