with

customers as (

    select * from {{ ref('customers') }}

),

own_value as (

    select * from {{ ref('int_own_value') }}

),

summed as (

    select
        count(*) as customer_count,
        sum(own_value.own_value_low) as low,
        sum(own_value.own_value_base) as base,
        sum(own_value.own_value_high) as high
    from customers
    left join own_value on customers.customer_id = own_value.customer_id

),

final as (

    select
        customer_count,
        greatest(cast(low as double) / nullif(customer_count, 0), 0) as value_low,
        greatest(cast(base as double) / nullif(customer_count, 0), 0) as value_base,
        greatest(cast(high as double) / nullif(customer_count, 0), 0) as value_high
    from summed

)

select * from final
