with

changes as (

    select * from {{ ref('int_mrr_changes') }}

),

months as (

    select * from {{ ref('int_months') }}

),

subscriptions as (

    select * from {{ ref('stg_subscriptions') }}

),

customers as (

    select
        customer_id,
        month,
        sum(start_mrr) as start_mrr,
        sum(revalued_start_mrr) as revalued_start_mrr,
        sum(end_mrr) as end_mrr
    from changes
    group by customer_id, month

),

first_paid as (

    select
        customer_id,
        min(month) as first_month
    from {{ ref('int_mrr') }}
    group by customer_id

),

moved as (

    select
        customers.customer_id,
        customers.month,
        cast(customers.start_mrr as decimal(18, 4)) as start_mrr,
        cast(customers.revalued_start_mrr as decimal(18, 4)) as revalued_start_mrr,
        cast(customers.end_mrr as decimal(18, 4)) as end_mrr,
        -- The zero cases come first: tested last they could never be reached.
        case
            when
                customers.revalued_start_mrr = 0
                and customers.month = first_paid.first_month
                then 'new'
            when customers.revalued_start_mrr = 0 then 'reactivation'
            when customers.end_mrr = 0 then 'churn'
            when customers.end_mrr > customers.revalued_start_mrr then 'expansion'
            when customers.end_mrr < customers.revalued_start_mrr then 'contraction'
            else 'unchanged'
        end as movement
    from customers
    inner join first_paid on customers.customer_id = first_paid.customer_id

),

last_periods as (

    select
        moved.customer_id,
        moved.month,
        subscriptions.status = 'past_due'
        or coalesce(subscriptions.end_reason, '') = 'payment_failure' as is_unpaid,
        row_number() over (
            partition by moved.customer_id, moved.month
            order by subscriptions.started_at desc, subscriptions.subscription_id
        ) as period_rank
    from moved
    inner join months on moved.month = months.month
    inner join subscriptions
        on
            moved.customer_id = subscriptions.account_id
            and months.end_at > subscriptions.started_at
    where
        moved.movement = 'churn'
        and subscriptions.status in ('active', 'past_due')

),

final as (

    select
        moved.*,
        -- Ended by payment failure, or still unpaid beyond the grace.
        coalesce(last_periods.is_unpaid, false) as is_involuntary
    from moved
    left join last_periods
        on
            moved.customer_id = last_periods.customer_id
            and moved.month = last_periods.month
            and last_periods.period_rank = 1

)

select * from final
