{% set is_complaint, is_answer = "kind = 'complaint'", "kind <> 'complaint'" %}

with

lost_customers as (

    select * from {{ ref('int_lost_customers') }}

),

customers as (

    select * from {{ ref('customers') }}

),

own_value as (

    select * from {{ ref('int_own_value') }}

),

summed as (

    select
        cast(nullif(count(*), 0) as double) as customer_count,
        sum(coalesce(own_value.own_value_low, own_value.own_value_observed)) as low,
        sum(coalesce(own_value.own_value_base, own_value.own_value_observed)) as base,
        sum(coalesce(own_value.own_value_high, own_value.own_value_observed)) as high
    from customers
    left join own_value
        on {{ surrogate_key('customers.customer_id') }} = own_value.customer_key

),

average as (

    -- Who is lost is worth what customers are worth on average, visitors among them.
    select
        case when low < 0 then 0 else cast(low as double) / customer_count end
            as value_low,
        case when base < 0 then 0 else cast(base as double) / customer_count end
            as value_base,
        case when high < 0 then 0 else cast(high as double) / customer_count end
            as value_high
    from summed

),

losses as (

    -- The most that may be lost makes the least that his word is worth.
    select
        lost_customers.customer_id,
        lost_customers.kind,
        cast(
            -round(lost_customers.lost_high * average.value_high, 4) as decimal(18, 4)
        ) as low,
        cast(
            -round(lost_customers.lost_base * average.value_base, 4) as decimal(18, 4)
        ) as base,
        cast(
            -round(lost_customers.lost_low * average.value_low, 4) as decimal(18, 4)
        ) as high
    from lost_customers
    cross join average

),

final as (

    select
        customer_id,
        count(*) filter (where {{ is_complaint }}) as complaint_count,
        bool_or(case when {{ is_answer }} then kind = 'detractor' end) as is_detractor,
        cast({{ sum_if_known('low', is_complaint) }} as decimal(18, 4))
            as complaint_low,
        cast({{ sum_if_known('base', is_complaint) }} as decimal(18, 4))
            as complaint_base,
        cast({{ sum_if_known('high', is_complaint) }} as decimal(18, 4))
            as complaint_high,
        cast({{ sum_if_known('low', is_answer) }} as decimal(18, 4)) as detractor_low,
        cast({{ sum_if_known('base', is_answer) }} as decimal(18, 4)) as detractor_base,
        cast({{ sum_if_known('high', is_answer) }} as decimal(18, 4)) as detractor_high
    from losses
    group by customer_id

)

select * from final
