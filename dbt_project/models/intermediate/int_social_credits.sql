with

click_credits as (

    select * from {{ ref('int_click_credits') }}

),

referral_credits as (

    select * from {{ ref('int_referral_credits') }}

),

credits as (

    select
        customer_id,
        click_value,
        0 as referred_count,
        cast(0 as decimal(18, 4)) as referral_low,
        cast(0 as decimal(18, 4)) as referral_base,
        cast(0 as decimal(18, 4)) as referral_high,
        cast(0 as decimal(18, 4)) as referral_observed
    from click_credits

    union all

    select
        customer_id,
        cast(0 as decimal(18, 4)) as click_value,
        1 as referred_count,
        credit_low as referral_low,
        credit_base as referral_base,
        credit_high as referral_high,
        credit_observed as referral_observed
    from referral_credits

),

final as (

    select
        customer_id,
        cast(sum(click_value) as decimal(18, 4)) as click_value,
        cast(sum(referred_count) as bigint) as referred_count,
        cast({{ sum_if_known('referral_low') }} as decimal(18, 4)) as referral_low,
        cast({{ sum_if_known('referral_base') }} as decimal(18, 4)) as referral_base,
        cast({{ sum_if_known('referral_high') }} as decimal(18, 4)) as referral_high,
        cast(sum(referral_observed) as decimal(18, 4)) as referral_observed
    from credits
    group by customer_id

)

select * from final
