with

accounts as (

    select * from {{ ref('stg_accounts') }}

),

subscriptions as (

    select * from {{ ref('stg_subscriptions') }}

),

payments as (

    select * from {{ ref('int_payments') }}

),

visitor_accounts as (

    select * from {{ ref('int_visitor_accounts') }}

),

customer_sessions as (

    select * from {{ ref('int_customer_sessions') }}

),

identity as (

    select * from {{ ref('int_identity') }}

),

refresh as (

    select * from {{ source('run', 'refresh') }}

),

account_visitors as (

    select
        visitor_accounts.account_id,
        count(*) as visitor_count,
        bool_or(identity.is_shared_device) as is_on_shared_device
    from visitor_accounts
    inner join identity on visitor_accounts.visitor_key = identity.visitor_key
    where visitor_accounts.account_id is not null
    group by visitor_accounts.account_id

),

known_accounts as (

    select accounts.account_id
    from accounts
    inner join refresh
        on
            accounts.registered_at < refresh.as_of_end_at
            or accounts.registered_at is null
    union
    select subscriptions.account_id
    from subscriptions
    inner join refresh on subscriptions.started_at < refresh.as_of_end_at
    union
    select customer_id as account_id from payments
    union
    select account_id from account_visitors

),

subscribers as (

    select
        subscriptions.account_id,
        bool_or(
            (
                subscriptions.ended_at is null
                or subscriptions.ended_at >= refresh.as_of_end_at
            )
            and (
                subscriptions.status = 'active'
                or (
                    subscriptions.status = 'past_due'
                    and {{ seconds_between(
                        'subscriptions.started_at', 'refresh.as_of_end_at'
                    ) }} <= refresh.grace_days * 86400
                )
            )
        ) as is_subscriber
    from subscriptions
    inner join refresh on subscriptions.started_at < refresh.as_of_end_at
    where subscriptions.status <> 'trial'
    group by subscriptions.account_id

),

activity as (

    select
        coalesce(visitor_accounts.account_key, identity.customer_key) as customer_key,
        min(visitor_accounts.first_at) as first_at,
        max(visitor_accounts.last_at) as last_at,
        min(visitor_accounts.first_day) as first_day,
        max(visitor_accounts.last_day) as last_day
    from visitor_accounts
    inner join identity on visitor_accounts.visitor_key = identity.visitor_key
    group by coalesce(visitor_accounts.account_key, identity.customer_key)

),

visits as (

    select
        customer_key,
        count(*) as session_count,
        min(case when channel is not null then started_at end) as channel_at,
        min(case when country is not null then started_at end) as country_at
    from customer_sessions
    group by customer_key

),

-- Looked up by when it was: to keep the text of the earliest of millions of sessions by
-- customer while they are counted takes three times as long.
origins as (

    select
        customer_sessions.customer_key,
        min(
            case
                when customer_sessions.started_at = visits.channel_at
                    then customer_sessions.channel
            end
        ) as channel,
        min(
            case
                when customer_sessions.started_at = visits.country_at
                    then customer_sessions.country
            end
        ) as country
    from customer_sessions
    inner join visits on customer_sessions.customer_key = visits.customer_key
    where
        customer_sessions.started_at = visits.channel_at
        or customer_sessions.started_at = visits.country_at
    group by customer_sessions.customer_key

),

every_customer as (

    select
        known_accounts.account_id as customer_id,
        {{ surrogate_key('known_accounts.account_id') }} as customer_key,
        'account' as kind,
        coalesce(account_visitors.visitor_count, 0) as visitor_count,
        coalesce(account_visitors.is_on_shared_device, false) as is_on_shared_device
    from known_accounts
    left join account_visitors
        on known_accounts.account_id = account_visitors.account_id

    union all

    -- Visitors whose logged-out events nobody's account takes.
    select
        identity.visitor_id as customer_id,
        identity.visitor_key as customer_key,
        'visitor' as kind,
        1 as visitor_count,
        identity.is_shared_device as is_on_shared_device
    from identity
    inner join activity on identity.visitor_key = activity.customer_key

),

final as (

    select
        every_customer.customer_id,
        every_customer.kind,
        case
            when every_customer.kind = 'visitor' then 'visitor'
            when subscribers.is_subscriber then 'subscriber'
            when subscribers.account_id is not null then 'former_subscriber'
            else 'registered'
        end as segment,
        accounts.registered_at,
        activity.first_at as first_seen_at,
        activity.last_at as last_seen_at,
        activity.first_day as first_seen_day,
        activity.last_day as last_seen_day,
        coalesce(accounts.acquisition_channel, origins.channel) as acquisition_channel,
        coalesce(accounts.country, origins.country) as country,
        cast(every_customer.visitor_count as bigint) as visitor_count,
        every_customer.is_on_shared_device,
        visits.session_count
    from every_customer
    left join accounts on every_customer.customer_id = accounts.account_id
    left join subscribers on every_customer.customer_id = subscribers.account_id
    left join activity on every_customer.customer_key = activity.customer_key
    left join visits on every_customer.customer_key = visits.customer_key
    left join origins on every_customer.customer_key = origins.customer_key

)

select * from final
