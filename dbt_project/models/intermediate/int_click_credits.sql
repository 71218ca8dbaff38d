with

clicks as (

    select * from {{ ref('int_referrals') }}
    where outcome = 'click'

),

visitor_value as (

    select * from {{ ref('int_visitor_value_days') }}

),

identity as (

    select * from {{ ref('int_identity') }}

),

matched as (

    -- Nobody brings himself back.
    select
        clicks.referral_id,
        clicks.customer_id,
        visitor_value.day,
        visitor_value.visitor_id,
        visitor_value.account_id,
        coalesce(visitor_value.account_id, identity.customer_id)
            as referred_customer_id,
        visitor_value.visitor_value,
        row_number() over (
            partition by
                visitor_value.day, visitor_value.visitor_id, visitor_value.account_id
            order by clicks.referral_id
        ) as click_number,
        count(*) over (
            partition by
                visitor_value.day, visitor_value.visitor_id, visitor_value.account_id
        ) as click_count
    from clicks
    inner join visitor_value
        on
            {{ surrogate_key('clicks.referred_visitor_id') }}
            = visitor_value.visitor_key
            and clicks.day = visitor_value.day
    inner join identity on visitor_value.visitor_key = identity.visitor_key
    where
        clicks.customer_id
        <> coalesce(visitor_value.account_id, identity.customer_id)

),

final as (

    -- Clicks of one day share its value alike, as the running sum is rounded: the parts
    -- add up to it exactly.
    select
        referral_id,
        customer_id,
        day,
        visitor_id,
        account_id,
        referred_customer_id,
        visitor_value,
        cast(
            round(cast(visitor_value as double) * click_number / click_count, 4)
            as decimal(18, 4)
        )
        - cast(
            round(
                cast(visitor_value as double) * (click_number - 1) / click_count, 4
            ) as decimal(18, 4)
        ) as click_value
    from matched

)

select * from final
