{#
  What became of the treated and of the control of each initiative, in whole periods before and
  after its start. Who is in a period is decided at its start: nothing that happened since chooses
  whom to look at.
#}
{% set most_before = 6 %}

with

initiatives as (

    select * from {{ source('run', 'initiatives') }}

),

refresh as (

    select * from {{ source('run', 'refresh') }}

),

members as (

    -- Who is on both lists is treated.
    select
        initiative_id,
        {{ surrogate_key('customer_id') }} as customer_key,
        bool_or(arm = 'treated') as is_treated
    from {{ ref('assign_initiatives') }}
    where customer_id is not null
    group by initiative_id, {{ surrogate_key('customer_id') }}

),

customers as (

    select
        {{ surrogate_key('customer_id') }} as customer_key,
        coalesce(registered_at, first_seen_at) as known_at
    from {{ ref('customers') }}
    where kind = 'account'

),

subscriptions as (

    select
        *,
        {{ surrogate_key('account_id') }} as customer_key
    from {{ ref('stg_subscriptions') }}
    where status in ('active', 'past_due') and amount > 0

),

payments as (

    select * from {{ ref('int_payments') }}

),

daily_customers as (

    select * from {{ ref('int_daily_customers') }}

),

account_days as (

    -- Of those who have an account: the other half would be summed only to be left out.
    select
        daily_customers.customer_key,
        daily_customers.day,
        cast(sum(daily_customers.page_views) as bigint) as page_views
    from daily_customers
    inner join refresh on daily_customers.day <= refresh.as_of_day
    where
        daily_customers.is_account
        -- Read only where somebody asks.
        and exists (select 1 from initiatives)
    group by daily_customers.customer_key, daily_customers.day

),

first_days as (

    select
        'reading' as source,
        min(day) as day
    from {{ ref('int_visitor_days') }}

    union all

    select
        'paying' as source,
        min(day) as day
    from payments

    union all

    select
        'contract' as source,
        min({{ local_day('subscriptions.started_at', 'refresh.time_zone') }}) as day
    from subscriptions
    cross join refresh

),

sourced as (

    select
        *,
        case
            when outcome = 'retained' then 'contract'
            when outcome in ('revenue', 'purchases') then 'paying'
            else 'reading'
        end as source
    from initiatives

),

numbered as (

    select
        sourced.*,
        {{ each_number(
            '-' ~ most_before,
            'cast(floor(('
            ~ days_between(
                'sourced.start_day',
                'least(coalesce(sourced.end_day, refresh.as_of_day), refresh.as_of_day)'
            )
            ~ ' + 1.0) / sourced.period_days) as bigint) - 1'
        ) }} as period
    from sourced
    cross join refresh
    where sourced.start_day <= refresh.as_of_day

),

dated as (

    select
        numbered.initiative_id,
        numbered.outcome,
        numbered.period,
        numbered.control_rule,
        {{ add_days('numbered.start_day', 'numbered.period * numbered.period_days') }}
            as first_day,
        {{ add_days(
            'numbered.start_day', '(numbered.period + 1) * numbered.period_days'
        ) }} as next_day,
        numbered.source
    from numbered

),

periods as (

    -- The millions of outcomes carry the number of theirs.
    select
        row_number() over (order by dated.initiative_id, dated.period)
            as period_number,
        dated.*,
        {{ start_of_day('dated.first_day', 'refresh.time_zone') }} as start_at,
        {{ start_of_day('dated.next_day', 'refresh.time_zone') }} as end_at,
        refresh.grace_days
    from dated
    cross join refresh
    inner join first_days
        on dated.source = first_days.source and dated.first_day >= first_days.day

),

paying as (

    select distinct
        periods.period_number,
        subscriptions.customer_key
    from periods
    inner join subscriptions
        on {{ is_paid_at('subscriptions', 'periods.start_at', 'periods.grace_days') }}
    where periods.outcome = 'retained'

),

still_paying as (

    select distinct
        periods.period_number,
        subscriptions.customer_key
    from periods
    inner join subscriptions
        on {{ is_paid_at('subscriptions', 'periods.end_at', 'periods.grace_days') }}
    where periods.outcome = 'retained'

),

known as (

    select
        periods.period_number,
        customers.customer_key
    from periods
    inner join customers on coalesce(customers.known_at < periods.start_at, true)
    where periods.outcome <> 'retained'

),

read_days as (

    select
        periods.period_number,
        account_days.customer_key,
        count(*) as active_days,
        sum(account_days.page_views) as page_views
    from periods
    inner join account_days
        on
            periods.outcome in ('active', 'active_days', 'page_views')
            and periods.first_day <= account_days.day
            and periods.next_day > account_days.day
    group by periods.period_number, account_days.customer_key

),

paid as (

    select
        periods.period_number,
        payments.customer_key,
        sum(payments.amount) as revenue,
        count(*) filter (where payments.kind = 'purchase') as purchases
    from periods
    inner join payments
        on
            periods.outcome in ('revenue', 'purchases')
            and periods.first_day <= payments.day
            and periods.next_day > payments.day
    group by periods.period_number, payments.customer_key

),

did as (

    select
        read_days.period_number,
        read_days.customer_key,
        case
            when periods.outcome = 'active' then 1
            when periods.outcome = 'active_days' then read_days.active_days
            else read_days.page_views
        end as value
    from read_days
    inner join periods on read_days.period_number = periods.period_number

    union all

    select
        paid.period_number,
        paid.customer_key,
        case when periods.outcome = 'revenue' then paid.revenue else paid.purchases end
            as value
    from paid
    inner join periods on paid.period_number = periods.period_number

),

outcomes as (

    select
        paying.period_number,
        paying.customer_key,
        case when still_paying.customer_key is not null then 1 else 0 end as value
    from paying
    left join still_paying
        on
            paying.period_number = still_paying.period_number
            and paying.customer_key = still_paying.customer_key

    union all

    select
        known.period_number,
        known.customer_key,
        coalesce(did.value, 0) as value
    from known
    left join did
        on
            known.period_number = did.period_number
            and known.customer_key = did.customer_key

),

final as (

    select
        periods.initiative_id,
        periods.period,
        {{ number_of('outcomes.customer_key') }} as customer,
        coalesce(members.is_treated, false) as is_treated,
        cast(outcomes.value as double) as value
    from outcomes
    inner join periods on outcomes.period_number = periods.period_number
    left join members
        on
            periods.initiative_id = members.initiative_id
            and outcomes.customer_key = members.customer_key
    where members.customer_key is not null or periods.control_rule = 'others'

)

select * from final
