-- Credits for his clicks, which are of his visits, and for his being recommended.
with

credits as (

    select
        referred_customer_id,
        click_value,
        0 as low,
        0 as base,
        0 as high
    from {{ ref('int_click_credits') }}

    union all

    select
        referred_customer_id,
        0 as click_value,
        coalesce(credit_low, 0) as low,
        coalesce(credit_base, 0) as base,
        coalesce(credit_high, 0) as high
    from {{ ref('int_referral_credits') }}

),

credited as (

    select
        referred_customer_id,
        sum(click_value) as click_value,
        sum(low) as low,
        sum(base) as base,
        sum(high) as high
    from credits
    group by referred_customer_id

),

own_value as (

    select
        customer_key,
        coalesce(own_value_low, own_value_observed) as low,
        coalesce(own_value_base, own_value_observed) as base,
        coalesce(own_value_high, own_value_observed) as high
    from {{ ref('int_own_value') }}

)

-- Refunds may leave him worth less than his visits.
select credited.*
from credited
left join own_value
    on {{ surrogate_key('credited.referred_customer_id') }} = own_value.customer_key
where
    credited.low > 0
    and credited.click_value + credited.low > coalesce(own_value.low, 0)
    or credited.base > 0
    and credited.click_value + credited.base > coalesce(own_value.base, 0)
    or credited.high > 0
    and credited.click_value + credited.high > coalesce(own_value.high, 0)
