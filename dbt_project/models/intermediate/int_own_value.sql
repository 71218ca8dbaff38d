with

payments as (

    select * from {{ ref('int_payments') }}

),

visitor_value as (

    select * from {{ ref('int_customer_visitor_value') }}

),

futures as (

    select * from {{ ref('int_future_value') }}

),

observed as (

    select
        customer_key,
        coalesce(amount, 0) as own_value
    from payments

    union all

    select
        customer_key,
        visitor_value as own_value
    from visitor_value

),

parts as (

    select
        customer_key,
        own_value as observed,
        own_value as low,
        own_value as base,
        own_value as high
    from observed

    union all

    select
        {{ surrogate_key('customer_id') }} as customer_key,
        cast(0 as decimal(18, 4)) as observed,
        future_value_low as low,
        future_value_base as base,
        future_value_high as high
    from futures

),

final as (

    -- With a future that is unknown so is the whole; what is observed stays known.
    select
        customer_key,
        cast(sum(observed) as decimal(18, 4)) as own_value_observed,
        cast({{ sum_if_known('low') }} as decimal(18, 4)) as own_value_low,
        cast({{ sum_if_known('base') }} as decimal(18, 4)) as own_value_base,
        cast({{ sum_if_known('high') }} as decimal(18, 4)) as own_value_high
    from parts
    group by customer_key

)

select * from final
