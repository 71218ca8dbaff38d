with

referrals as (

    select * from {{ ref('stg_referrals') }}

),

identity as (

    select * from {{ ref('int_identity') }}

),

refresh as (

    select * from {{ source('run', 'refresh') }}

),

final as (

    select
        referrals.referral_id,
        referrals.referrer_account_id as customer_id,
        referrals.outcome,
        referrals.occurred_at,
        {{ local_day('referrals.occurred_at', 'refresh.time_zone') }} as day,
        referrals.referred_visitor_id,
        coalesce(referrals.referred_account_id, identity.customer_id)
            as referred_customer_id
    from referrals
    inner join refresh on referrals.occurred_at < refresh.as_of_end_at
    left join identity on referrals.referred_visitor_id = identity.visitor_id

)

select * from final
