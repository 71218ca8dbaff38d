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

    select * from {{ ref('assign_initiatives') }}
    where customer_id is not null

),

customers as (

    select
        customer_id,
        coalesce(registered_at, first_seen_at) as known_at
    from {{ ref('customers') }}
    where kind = 'account'

),

subscriptions as (

    select * from {{ ref('stg_subscriptions') }}
    where status in ('active', 'past_due') and amount > 0

),

payments as (

    select * from {{ ref('int_payments') }}

),

customer_days as (

    select customer_days.*
    from {{ ref('int_customer_days') }} as customer_days
    inner join customers on customer_days.customer_id = customers.customer_id
    -- A view over all days: read only where somebody asks.
    where exists (select 1 from initiatives)

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

    select
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
        periods.initiative_id,
        periods.period,
        subscriptions.account_id as customer_id
    from periods
    inner join subscriptions
        on {{ is_paid_at('subscriptions', 'periods.start_at', 'periods.grace_days') }}
    where periods.outcome = 'retained'

),

still_paying as (

    select distinct
        periods.initiative_id,
        periods.period,
        subscriptions.account_id as customer_id
    from periods
    inner join subscriptions
        on {{ is_paid_at('subscriptions', 'periods.end_at', 'periods.grace_days') }}
    where periods.outcome = 'retained'

),

known as (

    select
        periods.initiative_id,
        periods.period,
        periods.outcome,
        customers.customer_id
    from periods
    inner join customers on coalesce(customers.known_at < periods.start_at, true)
    where periods.outcome <> 'retained'

),

did as (

    select
        periods.initiative_id,
        periods.period,
        customer_days.customer_id,
        case
            when periods.outcome = 'active' then 1
            when periods.outcome = 'active_days' then count(*)
            else sum(customer_days.page_views)
        end as value
    from periods
    inner join customer_days
        on
            periods.outcome in ('active', 'active_days', 'page_views')
            and periods.first_day <= customer_days.day
            and periods.next_day > customer_days.day
    group by
        periods.initiative_id,
        periods.period,
        periods.outcome,
        customer_days.customer_id

    union all

    select
        periods.initiative_id,
        periods.period,
        payments.customer_id,
        case
            when periods.outcome = 'revenue' then sum(payments.amount)
            else count(*) filter (where payments.kind = 'purchase')
        end as value
    from periods
    inner join payments
        on
            periods.outcome in ('revenue', 'purchases')
            and periods.first_day <= payments.day
            and periods.next_day > payments.day
    group by
        periods.initiative_id,
        periods.period,
        periods.outcome,
        payments.customer_id

),

outcomes as (

    select
        paying.initiative_id,
        paying.period,
        paying.customer_id,
        case when still_paying.customer_id is not null then 1 else 0 end as value
    from paying
    left join still_paying
        on
            paying.initiative_id = still_paying.initiative_id
            and paying.period = still_paying.period
            and paying.customer_id = still_paying.customer_id

    union all

    select
        known.initiative_id,
        known.period,
        known.customer_id,
        coalesce(did.value, 0) as value
    from known
    left join did
        on
            known.initiative_id = did.initiative_id
            and known.period = did.period
            and known.customer_id = did.customer_id

),

final as (

    select
        outcomes.initiative_id,
        outcomes.period,
        {{ number_of('outcomes.customer_id') }} as customer,
        coalesce(treated.arm = 'treated', false) as is_treated,
        cast(outcomes.value as double) as value
    from outcomes
    inner join initiatives on outcomes.initiative_id = initiatives.initiative_id
    left join members as treated
        on
            outcomes.initiative_id = treated.initiative_id
            and outcomes.customer_id = treated.customer_id
            and treated.arm = 'treated'
    left join members as control
        on
            outcomes.initiative_id = control.initiative_id
            and outcomes.customer_id = control.customer_id
            and control.arm = 'control'
    -- Who is on both lists is treated.
    where
        treated.customer_id is not null
        or initiatives.control_rule = 'others'
        or control.customer_id is not null

)

select * from final
