with

refresh as (

    select * from {{ source('run', 'refresh') }}

),

assumptions as (

    select * from {{ source('run', 'assumptions') }}

),

subscriptions as (

    select * from {{ ref('stg_subscriptions') }}

),

accounts as (

    select * from {{ ref('stg_accounts') }}

),

periods as (

    select
        subscriptions.*,
        {{ local_day('subscriptions.started_at', 'refresh.time_zone') }} as day
    from subscriptions
    inner join refresh on subscriptions.started_at < refresh.as_of_end_at

),

first_trials as (

    -- A trial may be told in several periods of its subscription.
    select
        account_id,
        subscription_id,
        min(started_at) as started_at,
        min(day) as day,
        {{ earliest('plan', 'started_at') }} as plan
    from periods
    where status = 'trial'
    group by account_id, subscription_id

),

trials as (

    -- Who tries again is another trial, and what he pays then is credited to that one.
    select
        *,
        lead(started_at) over (
            partition by account_id order by started_at, subscription_id
        ) as next_started_at
    from first_trials

),

paid as (

    select
        account_id,
        started_at,
        day
    from periods
    where status = 'active' and amount > 0

),

windows as (

    select cast(base as bigint) as conversion_days
    from assumptions
    where assumption = 'trial_conversion_days'

),

outcomes as (

    select
        trials.account_id,
        trials.subscription_id,
        trials.day,
        trials.plan,
        windows.conversion_days,
        {{ add_days('trials.day', 'windows.conversion_days') }}
        <= refresh.as_of_day as is_mature,
        count(paid.account_id) > 0 as has_paid
    from trials
    cross join windows
    cross join refresh
    left join paid
        on
            trials.account_id = paid.account_id
            and trials.started_at <= paid.started_at
            and coalesce(paid.started_at < trials.next_started_at, true)
            and paid.day <= {{ add_days('trials.day', 'windows.conversion_days') }}
    group by
        trials.account_id,
        trials.subscription_id,
        trials.day,
        trials.plan,
        windows.conversion_days,
        refresh.as_of_day

),

counted as (

    select
        {{ month_of('outcomes.day') }} as cohort,
        outcomes.plan,
        coalesce(accounts.acquisition_channel, '(unknown)') as acquisition_channel,
        outcomes.conversion_days,
        count(*) as trials,
        count(*) filter (where outcomes.is_mature) as mature_trials,
        count(*) filter (where not outcomes.is_mature) as immature_trials,
        count(*) filter (where outcomes.is_mature and outcomes.has_paid)
            as converted_trials
    from outcomes
    left join accounts on outcomes.account_id = accounts.account_id
    group by
        {{ month_of('outcomes.day') }},
        outcomes.plan,
        coalesce(accounts.acquisition_channel, '(unknown)'),
        outcomes.conversion_days

),

final as (

    select
        cohort,
        plan,
        acquisition_channel,
        conversion_days,
        trials,
        mature_trials,
        immature_trials,
        converted_trials,
        cast(converted_trials as double) / nullif(mature_trials, 0)
            as trial_conversion_rate
    from counted

)

select * from final
