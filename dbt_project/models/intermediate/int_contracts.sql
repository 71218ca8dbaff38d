{#
  Twice over: as of the as-of day, and as it stood at the calibration end. Of what came after either
  nothing counts.
#}
with

refresh as (

    select * from {{ source('run', 'refresh') }}

),

calibration as (

    select * from {{ ref('int_calibration') }}

),

subscriptions as (

    select * from {{ ref('stg_subscriptions') }}

),

payments as (

    select * from {{ ref('stg_payments') }}

),

visitor_days as (

    select * from {{ ref('int_visitor_days') }}

),

samples as (

    select
        'current' as sample,
        as_of_day as end_day,
        as_of_end_at as end_at,
        time_zone,
        grace_days * 86400 as grace_seconds
    from refresh

    union all

    select
        'calibration' as sample,
        calibration.calibration_end as end_day,
        calibration.calibration_end_at as end_at,
        refresh.time_zone,
        refresh.grace_days * 86400 as grace_seconds
    from calibration
    cross join refresh

),

first_days as (

    select min({{ local_day('payments.paid_at', 'refresh.time_zone') }}) as first_day
    from payments
    cross join refresh
    where
        payments.kind = 'subscription'
        and payments.paid_at < refresh.as_of_end_at

    union all

    select min(visitor_days.day) as first_day
    from visitor_days
    inner join refresh on visitor_days.day <= refresh.as_of_day

),

observed as (

    -- Sources forget who left before they were connected: those who stayed count only
    -- from the first day of all feeds on.
    select max(first_day) as first_day from first_days

),

periods as (

    select
        samples.sample,
        subscriptions.account_id as customer_id,
        subscriptions.subscription_id,
        subscriptions.plan,
        subscriptions.billing_period,
        subscriptions.amount,
        subscriptions.currency,
        subscriptions.status,
        subscriptions.started_at,
        subscriptions.status = 'active' and subscriptions.amount > 0 as is_paid,
        coalesce(subscriptions.ended_at >= samples.end_at, true) as is_open,
        least(coalesce(subscriptions.ended_at, samples.end_at), samples.end_at)
            as until_at,
        coalesce(
            subscriptions.end_reason = 'switch'
            and subscriptions.ended_at < samples.end_at,
            false
        ) as is_switched
    from subscriptions
    inner join samples on subscriptions.started_at < samples.end_at
    where
        subscriptions.status <> 'trial'
        and (
            subscriptions.ended_at is null
            or subscriptions.ended_at > subscriptions.started_at
        )

),

after_the_last as (

    select
        *,
        -- Sources end a period a second or a day before the next one starts.
        case
            when
                {{ seconds_between(
                    'max(until_at) over before_it', 'started_at'
                ) }} <= 86400
                then 0
            else 1
        end as is_apart
    from periods
    window
        before_it as (
            partition by sample, customer_id, subscription_id
            order by started_at
            rows between unbounded preceding and 1 preceding
        )

),

covered as (

    select
        *,
        sum(is_apart) over (
            partition by sample, customer_id, subscription_id
            order by started_at
            rows between unbounded preceding and current row
        ) as cover
    from after_the_last

),

told as (

    select
        *,
        -- What an unpaid or paused subscription still is at the end.
        max(
            case
                when is_open and not is_paid
                    then case when status = 'past_due' then 'unpaid' else 'paused' end
            end
        ) over (partition by sample, customer_id, subscription_id, cover)
            as waiting_as
    from covered

),

paid as (

    select
        told.*,
        -- Unpaid or paused within the grace the contract goes on; beyond it ended when
        -- that began, and what follows is another.
        case
            when
                {{ seconds_between(
                    'max(told.until_at) over before_it', 'told.started_at'
                ) }} <= greatest(refresh.grace_days, 1) * 86400
                then 0
            else 1
        end as is_new
    from told
    cross join refresh
    where told.is_paid
    window
        before_it as (
            partition by
                told.sample, told.customer_id, told.subscription_id, told.cover
            order by told.started_at
            rows between unbounded preceding and 1 preceding
        )

),

numbered as (

    select
        *,
        sum(is_new) over (
            partition by sample, customer_id, subscription_id
            order by started_at
            rows between unbounded preceding and current row
        ) as run
    from paid

),

switchers as (

    select distinct
        sample,
        customer_id
    from numbered
    where is_switched

),

runs as (

    select
        numbered.sample,
        numbered.customer_id,
        numbered.subscription_id,
        numbered.run,
        min(numbered.started_at) as started_at,
        max(numbered.until_at) as until_at,
        max(case when numbered.is_switched then numbered.until_at end) as switched_at
    from numbered
    inner join switchers
        on
            numbered.sample = switchers.sample
            and numbered.customer_id = switchers.customer_id
    group by
        numbered.sample,
        numbered.customer_id,
        numbered.subscription_id,
        numbered.run

),

switches as (

    -- A switch may come as another subscription that starts where this one ends.
    select
        earlier.sample,
        earlier.customer_id,
        earlier.subscription_id as from_subscription_id,
        earlier.run as from_run,
        later.subscription_id as to_subscription_id,
        later.run as to_run
    from runs as earlier
    inner join runs as later
        on
            earlier.sample = later.sample
            and earlier.customer_id = later.customer_id
            and earlier.subscription_id <> later.subscription_id
            and earlier.started_at < later.started_at
    where
        earlier.switched_at = earlier.until_at
        and abs({{ seconds_between('earlier.until_at', 'later.started_at') }}) <= 86400

),

switched as (

    select
        sample,
        customer_id,
        from_subscription_id as subscription_id,
        from_run as run,
        0 as is_continued
    from switches

    union

    select
        sample,
        customer_id,
        to_subscription_id as subscription_id,
        to_run as run,
        1 as is_continued
    from switches

),

flags as (

    select
        sample,
        customer_id,
        subscription_id,
        run,
        max(is_continued) as is_continued
    from switched
    group by sample, customer_id, subscription_id, run

),

lines as (

    -- What is linked by switches is one line, every other subscription its own.
    select
        numbered.*,
        case when flags.run is null then numbered.subscription_id else '' end as line,
        case when flags.is_continued = 1 then 0 else numbered.is_new end as is_start
    from numbered
    left join flags
        on
            numbered.sample = flags.sample
            and numbered.customer_id = flags.customer_id
            and numbered.subscription_id = flags.subscription_id
            and numbered.run = flags.run

),

contracts as (

    select
        *,
        sum(is_start) over (
            partition by sample, customer_id, line
            order by started_at, subscription_id
            rows between unbounded preceding and current row
        ) as contract
    from lines

),

ordered as (

    select
        *,
        lead(started_at) over in_turn is null as is_last,
        case
            when
                lag(plan) over in_turn = plan
                and lag(billing_period) over in_turn = billing_period
                then 0
            else 1
        end as is_other_plan
    from contracts
    window
        in_turn as (
            partition by sample, customer_id, line, contract
            order by started_at, subscription_id
        )

),

stretches as (

    select
        *,
        sum(is_other_plan) over (
            partition by sample, customer_id, line, contract
            order by started_at, subscription_id
            rows between unbounded preceding and current row
        ) as stretch
    from ordered

),

summed as (

    select
        sample,
        customer_id,
        line,
        contract,
        stretch,
        plan,
        billing_period,
        min(started_at) as started_at,
        max(until_at) as until_at,
        bool_or(is_open) as is_open,
        bool_or(is_last) as is_last,
        max(case when is_last then amount end) as amount,
        max(case when is_last then currency end) as currency,
        max(case when is_last then waiting_as end) as waiting_as
    from stretches
    group by
        sample,
        customer_id,
        line,
        contract,
        stretch,
        plan,
        billing_period

),

joined as (

    select
        *,
        min(started_at) over (
            partition by sample, customer_id, line, contract
        ) as contract_started_at
    from summed

),

ended as (

    select
        joined.sample,
        samples.end_day,
        joined.customer_id,
        joined.plan,
        joined.billing_period,
        joined.amount,
        joined.currency,
        {{ local_day('joined.contract_started_at', 'samples.time_zone') }}
            as contract_day,
        greatest(
            {{ local_day('joined.started_at', 'samples.time_zone') }},
            coalesce(
                observed.first_day,
                {{ local_day('joined.started_at', 'samples.time_zone') }}
            )
        ) as from_day,
        case
            when joined.is_last and joined.is_open then samples.end_day
            else
                least(
                    {{ local_day('joined.until_at', 'samples.time_zone') }},
                    samples.end_day
                )
        end as to_day,
        case
            when not joined.is_last then 'switched'
            when joined.is_open then 'active'
            when
                {{ seconds_between('joined.until_at', 'samples.end_at') }}
                <= samples.grace_seconds
                then coalesce(joined.waiting_as, 'churned')
            else 'churned'
        end as outcome
    from joined
    inner join samples on joined.sample = samples.sample
    cross join observed

),

counted as (

    select
        *,
        {{ whole_periods('contract_day', 'from_day', 'billing_period') }}
            as periods_before,
        {{ whole_periods('contract_day', 'to_day', 'billing_period') }} as periods_made,
        {{ whole_periods('contract_day', 'end_day', 'billing_period') }} as due_periods
    from ended

),

rounded as (

    -- Begun periods count to the number of the period something happens in.
    select
        *,
        periods_before + case
            when
                {{ period_end('contract_day', 'periods_before', 'billing_period') }}
                < from_day
                then 1
            else 0
        end + 1 as first_period,
        greatest(
            periods_made + case
                when
                    {{ period_end('contract_day', 'periods_made', 'billing_period') }}
                    < to_day
                    then 1
                else 0
            end, 1
        ) as to_period
    from counted

),

final as (

    select
        sample,
        customer_id,
        plan,
        billing_period,
        plan || ' (' || billing_period || ')' as segment,
        {{ month_of('contract_day') }} as cohort,
        contract_day,
        from_day,
        to_day,
        outcome,
        due_periods,
        first_period,
        -- A bill that is still unpaid is a renewal not made yet.
        case outcome
            when 'churned' then least(to_period, due_periods)
            when 'unpaid' then to_period - 1
            when 'paused' then to_period - 1
            else periods_made
        end as last_period,
        case when outcome = 'churned' then to_period end as churned_period,
        amount,
        currency
    from rounded

)

select * from final
