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

daily_visitors as (

    select * from {{ ref('int_daily_visitors') }}

),

customer_days as (

    select * from {{ ref('int_customer_days') }}

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
        daily_visitors.account_id,
        count(distinct daily_visitors.visitor_id) as visitor_count,
        bool_or(identity.is_shared_device) as is_on_shared_device
    from daily_visitors
    inner join identity on daily_visitors.visitor_id = identity.visitor_id
    inner join refresh on daily_visitors.day <= refresh.as_of_day
    where daily_visitors.account_id is not null
    group by daily_visitors.account_id

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
        customer_id,
        min(first_at) as first_at,
        max(last_at) as last_at,
        min(day) as first_day,
        max(day) as last_day
    from customer_days
    group by customer_id

),

visits as (

    select
        customer_id,
        count(*) as session_count,
        {{ earliest('channel', 'started_at') }} as channel,
        {{ earliest('country', 'started_at') }} as country
    from customer_sessions
    group by customer_id

),

every_customer as (

    select
        known_accounts.account_id as customer_id,
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
        'visitor' as kind,
        1 as visitor_count,
        identity.is_shared_device as is_on_shared_device
    from identity
    inner join activity on identity.visitor_id = activity.customer_id

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
        coalesce(accounts.acquisition_channel, visits.channel) as acquisition_channel,
        coalesce(accounts.country, visits.country) as country,
        cast(every_customer.visitor_count as bigint) as visitor_count,
        every_customer.is_on_shared_device,
        visits.session_count
    from every_customer
    left join accounts on every_customer.customer_id = accounts.account_id
    left join subscribers on every_customer.customer_id = subscribers.account_id
    left join activity on every_customer.customer_id = activity.customer_id
    left join visits on every_customer.customer_id = visits.customer_id

)

select * from final
