with

referred as (

    select distinct referred_account_id as customer_id
    from {{ ref('stg_referrals') }}
    cross join {{ source('run', 'refresh') }} as refresh
    where outcome = 'subscription' and occurred_at < refresh.as_of_end_at

),

feeds as (

    select * from {{ ref('int_known_feeds') }}

),

counted as (

    select
        bought.day,
        case when referred.customer_id is not null then 1 else 0 end as is_referred
    from {{ ref('int_first_purchases') }} as bought
    inner join feeds on feeds.has_referrals
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
