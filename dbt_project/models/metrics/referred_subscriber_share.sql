with

referrals as (

    select
        referrals.referred_account_id as customer_id,
        referrals.outcome,
        {{ local_day('referrals.occurred_at', 'refresh.time_zone') }} as day
    from {{ ref('stg_referrals') }} as referrals
    inner join {{ source('run', 'refresh') }} as refresh
        on referrals.occurred_at < refresh.as_of_end_at

),

referred as (

    select distinct customer_id
    from referrals
    where outcome = 'subscription'

),

first_days as (

    -- Before the first referral is told, who was recommended is unknown.
    select min(day) as day from referrals

),

counted as (

    select
        bought.day,
        case when referred.customer_id is not null then 1 else 0 end as is_referred
    from {{ ref('int_first_purchases') }} as bought
    inner join first_days on bought.day >= first_days.day
    left join referred on bought.customer_id = referred.customer_id

),

final as (

    {{ by_segments(
        'counted',
        numerator='sum(is_referred)',
        denominator='count(*)'
    ) }}

)

select * from final
