{#
  Days are counted in windows of 28 back from the as-of day: window 0 ends with it. Block b asks
  who first bought in window b, by what he did in window b + 1 (the exposure) and by what was
  known of him before that, in window b + 2. A view: its reader wants only counts of it.
#}
{{ config(materialized='view') }}
{% set block_count = 13 %}

with

refresh as (

    select * from {{ source('run', 'refresh') }}

),

feeds as (

    select * from {{ ref('int_known_feeds') }}

),

accounts as (

    select * from {{ ref('stg_accounts') }}

),

subscriptions as (

    select * from {{ ref('stg_subscriptions') }}

),

daily_customers as (

    select
        daily_customers.*,
        cast(
            floor({{ days_between('daily_customers.day', 'refresh.as_of_day') }} / 28.0)
            as integer
        ) as window_number,
        {{ days_between('daily_customers.day', 'refresh.as_of_day') }} % 28
            as window_day
    from {{ ref('int_daily_customers') }} as daily_customers
    inner join refresh on daily_customers.day <= refresh.as_of_day

),

actions as (

    select
        actions.*,
        cast(
            floor({{ days_between('actions.day', 'refresh.as_of_day') }} / 28.0)
            as integer
        ) as window_number
    from {{ ref('int_visitor_actions') }} as actions
    inner join refresh on actions.day <= refresh.as_of_day

),

account_visitors as (

    select * from {{ ref('int_account_visitors') }}

),

first_purchases as (

    select * from {{ ref('int_first_purchases') }}

),

beginnings as (

    select
        accounts.account_id as customer_id,
        {{ local_day('accounts.registered_at', 'refresh.time_zone') }} as day
    from accounts
    cross join refresh
    where accounts.registered_at is not null

    union all

    select
        subscriptions.account_id as customer_id,
        {{ local_day('subscriptions.started_at', 'refresh.time_zone') }} as day
    from subscriptions
    cross join refresh

    union all

    select
        account_id as customer_id,
        first_day as day
    from {{ ref('int_visitor_accounts') }}
    where account_id is not null

),

-- Accounts only: visitors without one cannot buy, and most who do not come back are
-- cookies that are gone, not customers who stayed away.
known as (

    select
        customer_id,
        {{ surrogate_key('customer_id') }} as customer_key,
        min(day) as known_day
    from beginnings
    group by customer_id

),

active as (

    -- Of accounts only. A day is a bit of its window: days are counted without a pass
    -- over each of them first.
    select
        customer_key,
        window_number,
        cast(
            bit_count(bit_or(cast(power(2, window_day) as bigint))) as integer
        ) as active_days,
        bool_or(is_logged_in) as has_logged_in,
        min(first_device) as first_device,
        max(last_device) as last_device
    from daily_customers
    where is_account and window_number <= {{ block_count + 1 }}
    group by customer_key, window_number

),

acted as (

    select
        {{ surrogate_key(account_of('actions')) }}
            as customer_key,
        actions.window_number,
        bool_or(actions.event_type in ('share', 'comment')) as has_shared_or_commented,
        bool_or(actions.event_type = 'paywall') as has_met_paywall,
        bool_or(actions.event_type = 'checkout') as has_begun_checkout
    from actions
    left join account_visitors on actions.visitor_id = account_visitors.visitor_id
    where
        actions.window_number <= {{ block_count + 1 }}
        and {{ account_of('actions') }} is not null
    group by
        {{ account_of('actions') }},
        actions.window_number

),

seen_days as (

    select distinct day from {{ ref('int_daily_visitors') }}

),

covered as (

    select
        cast(
            floor({{ days_between('seen_days.day', 'refresh.as_of_day') }} / 28.0)
            as integer
        ) as window_number,
        count(*) as days_with_events
    from seen_days
    inner join refresh on seen_days.day <= refresh.as_of_day
    group by
        cast(
            floor({{ days_between('seen_days.day', 'refresh.as_of_day') }} / 28.0)
            as integer
        )

),

history as (

    select min(day) as first_day from seen_days

),

numbers as (

    {% for number in range(block_count) -%}
    select {{ number }} as number
    {{- '\n    union all\n    ' if not loop.last }}
    {%- endfor %}

),

starts as (

    select
        numbers.number,
        {{ add_days('refresh.as_of_day', '-27 - 28 * numbers.number') }} as start_day
    from numbers
    cross join refresh

),

blocks as (

    -- A window with events on fewer than half of its days was not seen (a paper of
    -- weekdays has 20): who did not come and who was not counted look alike in it.
    select
        starts.number,
        starts.start_day,
        history.first_day <= {{ add_days('starts.start_day', -56) }}
        and coalesce(before.days_with_events, 0) >= 14 as has_prior
    from starts
    cross join history
    inner join feeds on feeds.has_purchases
    inner join covered as exposure on starts.number + 1 = exposure.window_number
    left join covered as before on starts.number + 2 = before.window_number
    where
        history.first_day <= {{ add_days('starts.start_day', -28) }}
        and exposure.days_with_events >= 14

),

final as (

    select
        blocks.start_day as block_start_day,
        known.customer_id,
        coalesce(
            first_purchases.day < {{ add_days('blocks.start_day', 28) }}, false
        ) as has_purchased,
        coalesce(active.active_days, 0) as active_days,
        coalesce(active.has_logged_in, false) as has_logged_in,
        coalesce(acted.has_shared_or_commented, false) as has_shared_or_commented,
        coalesce(accounts.acquisition_channel, '(unknown)') as channel,
        case
            when known.known_day >= {{ add_days('blocks.start_day', -28) }}
                then 'in the 28 days'
            when known.known_day >= {{ add_days('blocks.start_day', -393) }}
                then 'up to a year before'
            else 'more than a year before'
        end as registration,
        -- What was known before the exposure; null where nothing before it was seen.
        case
            when not blocks.has_prior then null
            when coalesce(prior_acted.has_begun_checkout, false) then 'checkout'
            when coalesce(prior_acted.has_met_paywall, false) then 'paywall'
            else 'none'
        end as prior_intent,
        case
            when not blocks.has_prior then null
            when prior_active.active_days >= 15 then '15+'
            when prior_active.active_days >= 2 then '2-14'
            when prior_active.active_days = 1 then '1'
            else 'none'
        end as prior_activity,
        case
            when not blocks.has_prior then null
            when prior_active.customer_key is null then '(not seen)'
            when prior_active.first_device < prior_active.last_device then '(several)'
            else coalesce(prior_active.first_device, '(unknown)')
        end as prior_device
    from blocks
    inner join known on blocks.start_day > known.known_day
    left join accounts on known.customer_id = accounts.account_id
    left join first_purchases on known.customer_id = first_purchases.customer_id
    left join active
        on
            known.customer_key = active.customer_key
            and blocks.number + 1 = active.window_number
    left join acted
        on
            known.customer_key = acted.customer_key
            and blocks.number + 1 = acted.window_number
    left join active as prior_active
        on
            known.customer_key = prior_active.customer_key
            and blocks.number + 2 = prior_active.window_number
    left join acted as prior_acted
        on
            known.customer_key = prior_acted.customer_key
            and blocks.number + 2 = prior_acted.window_number
    where first_purchases.day is null or first_purchases.day >= blocks.start_day

)

select * from final
