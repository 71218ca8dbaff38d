with

customers as (

    select * from {{ ref('customers') }}

),

visitor_days as (

    select * from {{ ref('int_visitor_days') }}

),

identity as (

    select * from {{ ref('int_identity') }}

),

referrals as (

    select * from {{ ref('int_referrals') }}

),

click_credits as (

    select * from {{ ref('int_click_credits') }}

),

referral_credits as (

    select * from {{ ref('int_referral_credits') }}

),

losses as (

    select * from {{ ref('int_social_losses') }}

),

accounts as (

    select * from {{ ref('stg_accounts') }}

),

feeds as (

    select * from {{ ref('int_known_feeds') }}

),

refresh as (

    select * from {{ source('run', 'refresh') }}

),

invited as (

    select count(referred_by_account_id) as invited_count from accounts

),

asked as (

    select count(is_detractor) as answered_count from losses

),

known as (

    -- A part can be known when its feeds are there and tell of such a thing.
    select
        feeds.has_events,
        feeds.has_referrals,
        coalesce(feeds.has_mentions, false) as has_complaints,
        coalesce(feeds.has_referrals and feeds.has_visitor_value, false) as has_clicks,
        coalesce(
            (feeds.has_referrals or invited.invited_count > 0)
            and (feeds.has_payments or feeds.has_visitor_value),
            false
        ) as has_referred,
        coalesce(asked.answered_count > 0, false) as has_detractors
    from feeds
    cross join invited
    cross join asked

),

shares as (

    select
        coalesce(visitor_days.account_id, identity.customer_id) as customer_id,
        sum(visitor_days.share_count) as share_count
    from visitor_days
    inner join identity on visitor_days.visitor_id = identity.visitor_id
    inner join refresh on visitor_days.day <= refresh.as_of_day
    where visitor_days.share_count > 0
    group by coalesce(visitor_days.account_id, identity.customer_id)

),

told as (

    select
        customer_id,
        count(*) filter (where outcome = 'click') as click_count,
        count(*) filter (where outcome = 'registration') as registration_count,
        count(*) filter (where outcome = 'subscription') as subscription_count
    from referrals
    group by customer_id

),

clicks as (

    select
        customer_id,
        sum(click_value) as click_value
    from click_credits
    group by customer_id

),

credits as (

    select
        customer_id,
        count(*) as referred_count,
        cast({{ sum_if_known('credit_low') }} as decimal(18, 4)) as credit_low,
        cast({{ sum_if_known('credit_base') }} as decimal(18, 4)) as credit_base,
        cast({{ sum_if_known('credit_high') }} as decimal(18, 4)) as credit_high,
        cast(sum(credit_observed) as decimal(18, 4)) as credit_observed
    from referral_credits
    group by customer_id

),

parts as (

    -- Who has done nothing of the kind adds a known zero, whatever is assumed.
    select
        customers.customer_id,
        known.has_clicks,
        known.has_referred,
        known.has_complaints,
        known.has_detractors,
        case when known.has_events then coalesce(shares.share_count, 0) end
            as share_count,
        case when known.has_referrals then coalesce(told.click_count, 0) end
            as returning_click_count,
        case when known.has_referrals then coalesce(told.registration_count, 0) end
            as registration_referral_count,
        case when known.has_referrals then coalesce(told.subscription_count, 0) end
            as subscription_referral_count,
        case when known.has_referred then coalesce(credits.referred_count, 0) end
            as referred_customer_count,
        case when known.has_complaints then coalesce(losses.complaint_count, 0) end
            as complaint_count,
        losses.is_detractor,
        case when known.has_clicks then coalesce(clicks.click_value, 0) end
            as click_value,
        {{ part('credit_low', 'credits', 'has_referred') }} as referral_value_low,
        {{ part('credit_base', 'credits', 'has_referred') }} as referral_value_base,
        {{ part('credit_high', 'credits', 'has_referred') }} as referral_value_high,
        {{ part('credit_observed', 'credits', 'has_referred') }}
            as referral_value_observed,
        {{ part('complaint_low', 'losses', 'has_complaints') }} as complaint_value_low,
        {{ part('complaint_base', 'losses', 'has_complaints') }}
            as complaint_value_base,
        {{ part('complaint_high', 'losses', 'has_complaints') }}
            as complaint_value_high,
        {{ part('detractor_low', 'losses', 'has_detractors') }} as detractor_value_low,
        {{ part('detractor_base', 'losses', 'has_detractors') }}
            as detractor_value_base,
        {{ part('detractor_high', 'losses', 'has_detractors') }}
            as detractor_value_high
    from customers
    cross join known
    left join shares on customers.customer_id = shares.customer_id
    left join told on customers.customer_id = told.customer_id
    left join clicks on customers.customer_id = clicks.customer_id
    left join credits on customers.customer_id = credits.customer_id
    left join losses on customers.customer_id = losses.customer_id

),

final as (

    select
        customer_id,
        cast(share_count as bigint) as share_count,
        cast(returning_click_count as bigint) as returning_click_count,
        cast(registration_referral_count as bigint) as registration_referral_count,
        cast(subscription_referral_count as bigint) as subscription_referral_count,
        cast(referred_customer_count as bigint) as referred_customer_count,
        cast(complaint_count as bigint) as complaint_count,
        is_detractor,
        cast(click_value as decimal(18, 4)) as click_value,
        referral_value_low,
        referral_value_base,
        referral_value_high,
        referral_value_observed,
        complaint_value_low,
        complaint_value_base,
        complaint_value_high,
        detractor_value_low,
        detractor_value_base,
        detractor_value_high,
        {{ sum_of_parts('click_value', 'referral_value_low',
            'complaint_value_low', 'detractor_value_low') }} as social_value_low,
        {{ sum_of_parts('click_value', 'referral_value_base',
            'complaint_value_base', 'detractor_value_base') }} as social_value_base,
        {{ sum_of_parts('click_value', 'referral_value_high',
            'complaint_value_high', 'detractor_value_high') }} as social_value_high,
        {{ sum_of_parts('click_value', 'referral_value_observed', '0', '0') }}
            as social_value_observed,
        {{ sum_of_parts('0', 'referral_value_base - referral_value_observed',
            'complaint_value_base', 'detractor_value_base') }} as social_value_assumed,
        {{ sum_of_parts('click_value', 'referral_value_base', '0', '0') }}
            as influence_value
    from parts

)

select * from final
