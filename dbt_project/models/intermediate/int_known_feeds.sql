{{ config(materialized='view') }}

with

feeds as (

    select * from {{ source('run', 'feeds') }}

),

final as (

    -- What a feed would say is unknown, not zero, while the feed is not configured.
    select
        bool_or(feed = 'events' and is_configured) as has_events,
        bool_or(feed = 'payments' and is_configured) as has_payments,
        bool_or(feed = 'subscriptions' and is_configured) as has_subscriptions,
        bool_or(feed = 'referrals' and is_configured) as has_referrals,
        bool_or(feed = 'mentions' and is_configured) as has_mentions,
        bool_or(feed = 'costs' and is_configured) as has_costs,
        bool_or(feed in ('payments', 'subscriptions') and is_configured)
            as has_purchases,
        bool_or(feed = 'events' and is_configured)
        and bool_or(feed = 'ad_revenue' and is_configured) as has_visitor_value
    from feeds

)

select * from final
