with

payments as (

    select * from {{ ref('int_payments') }}

),

visitor_value as (

    select * from {{ ref('int_customer_visitor_value') }}

),

new_customers as (

    -- All whom acquiring cost anything: of most people there is none to set against it.
    select
        customer_id,
        {{ surrogate_key('customer_id') }} as customer_key
    from {{ ref('int_new_customers') }}

),

assumptions as (

    select
        {{ assumed('subscription_margin', 'base') }} as subscription_margin,
        {{ assumed('purchase_margin', 'base') }} as purchase_margin
    from {{ source('run', 'assumptions') }}

),

earned as (

    -- A gift costs nothing to deliver. A refund takes back what it refunds.
    select
        new_customers.customer_id,
        payments.month,
        cast(
            round(
                cast(payments.amount as double) * case
                    when payments.kind = 'donation' then 1
                    when payments.kind = 'purchase' then assumptions.purchase_margin
                    when
                        payments.kind = 'subscription'
                        or payments.subscription_id is not null
                        then assumptions.subscription_margin
                    else assumptions.purchase_margin
                end,
                4
            ) as decimal(18, 4)
        ) as contribution_margin
    from payments
    inner join new_customers on payments.customer_key = new_customers.customer_key
    cross join assumptions

    union all

    select
        new_customers.customer_id,
        visitor_value.month,
        visitor_value.visitor_value as contribution_margin
    from visitor_value
    inner join new_customers on visitor_value.customer_key = new_customers.customer_key

),

final as (

    select
        customer_id,
        month,
        cast({{ sum_if_known('contribution_margin') }} as decimal(18, 4))
            as contribution_margin
    from earned
    group by customer_id, month

)

select * from final
