{#
  Of every covariate only what was known at the moment: later events, logins, payments and answers
  do not count. An unknown value is 0, beside a covariate that says so where it differs between
  customers. The fit takes covariates from left to right, as many as those who left allow.
#}
with

moments as (

    select
        *,
        -- To group and join by one number instead of a text and a number.
        row_number() over (order by anchor, number) as moment
    from {{ ref('int_churn_moments') }}

),

subscriptions as (

    select * from {{ ref('stg_subscriptions') }}

),

rates as (

    select * from {{ ref('int_monthly_rates') }}

),

refresh as (

    select * from {{ source('run', 'refresh') }}

),

feeds as (

    select * from {{ ref('int_known_feeds') }}

),

people as (

    select * from {{ ref('int_churn_subscribers') }}

),

activity as (

    select
        moments.moment,
        activity.*
    from {{ ref('int_churn_activity') }} as activity
    inner join moments
        on activity.anchor = moments.anchor and activity.number = moments.number

),

speed as (

    select
        moments.moment,
        speed.*
    from {{ ref('int_churn_speed') }} as speed
    inner join moments
        on speed.anchor = moments.anchor and speed.number = moments.number

),

periods as (

    select
        people.subscriber,
        people.is_teacher,
        subscriptions.subscription_id,
        subscriptions.plan,
        subscriptions.currency,
        subscriptions.billing_period,
        subscriptions.status,
        subscriptions.started_at,
        subscriptions.ended_at,
        {{ monthly_price('subscriptions.amount', 'subscriptions.billing_period') }}
            as mrr
    from subscriptions
    inner join people on subscriptions.account_id = people.customer_id
    where subscriptions.status in ('active', 'past_due')

),

first_starts as (

    select
        subscription_id,
        min(started_at) as first_at
    from subscriptions
    group by subscription_id

),

ranked as (

    -- Once for all moments.
    select
        periods.*,
        row_number() over (
            partition by periods.subscriber
            order by periods.mrr desc, periods.subscription_id, periods.started_at
        ) as price_rank
    from periods
    where periods.mrr > 0

),

paid as (

    select
        moments.moment,
        ranked.*,
        first_starts.first_at,
        round(cast(ranked.mrr as double) * rates.rate, 4) as own_mrr
    from ranked
    inner join first_starts on ranked.subscription_id = first_starts.subscription_id
    cross join refresh
    inner join moments
        on
            (ranked.is_teacher or moments.sample = 'scoring')
            and {{ is_paid_at('ranked', 'moments.moment_at', 'refresh.grace_days') }}
    left join rates
        on
            ranked.currency = rates.currency
            and {{ month_of('moments.moment_day') }} = rates.month

),

subscribers as (

    select
        moment,
        subscriber,
        -- Of several subscriptions the dearest.
        {{ first_of_ordered('plan', 'price_rank') }} as plan,
        {{ first_of_ordered('billing_period', 'price_rank') }} as billing_period,
        cast(sum(cast(own_mrr as decimal(18, 4))) as double) as mrr,
        min(first_at) as first_at,
        bool_or(status = 'past_due') as is_past_due
    from paid
    group by moment, subscriber

),

stayed as (

    select distinct
        moments.moment,
        periods.subscriber
    from periods
    cross join refresh
    inner join moments
        on {{ is_paid_at('periods', 'moments.outcome_at', 'refresh.grace_days') }}
    where
        periods.mrr > 0
        and periods.is_teacher
        and moments.sample <> 'scoring'

),

paused as (

    select distinct
        moments.moment,
        people.subscriber
    from subscriptions
    inner join people on subscriptions.account_id = people.customer_id
    inner join moments
        on
            subscriptions.started_at < moments.outcome_at
            and (
                subscriptions.ended_at is null
                or subscriptions.ended_at >= moments.outcome_at
            )
    where
        subscriptions.status = 'paused'
        and people.is_teacher
        and moments.sample <> 'scoring'

),

failed as (

    select distinct
        moments.moment,
        people.subscriber
    from subscriptions
    inner join people on subscriptions.account_id = people.customer_id
    cross join refresh
    inner join moments
        on
            (people.is_teacher or moments.sample = 'scoring')
            and subscriptions.started_at < moments.moment_at
            and {{ local_day('subscriptions.started_at', 'refresh.time_zone') }}
            > {{ add_days('moments.moment_day', -84) }}
    where subscriptions.status = 'past_due'

),

bookings as (

    select
        people.subscriber,
        payments.paid_at,
        lead(payments.paid_at) over (
            partition by people.subscriber order by payments.paid_at
        ) as next_paid_at
    from {{ ref('stg_payments') }} as payments
    left join people on payments.account_id = people.customer_id
    where payments.kind = 'subscription' and payments.amount > 0

),

first_booking as (

    select min(paid_at) as first_at from bookings

),

last_bookings as (

    select
        moments.moment,
        subscribers.subscriber,
        bookings.paid_at as last_at
    from subscribers
    inner join moments on subscribers.moment = moments.moment
    inner join bookings
        on
            subscribers.subscriber = bookings.subscriber
            and moments.moment_at > bookings.paid_at
            and (
                bookings.next_paid_at is null
                or bookings.next_paid_at >= moments.moment_at
            )

),

answers as (

    select
        moments.moment,
        people.subscriber,
        -- From 0 to 1 on the scale of the question.
        case
            when surveys.question = 'nps' then surveys.score / 10
            else least(greatest((surveys.score - 1) / 4, 0), 1)
        end as satisfaction,
        row_number() over (
            partition by moments.moment, people.subscriber
            order by surveys.responded_at desc, surveys.response_id
        ) as answer_rank
    from {{ ref('stg_surveys') }} as surveys
    inner join people on surveys.account_id = people.customer_id
    cross join refresh
    inner join moments
        on
            (people.is_teacher or moments.sample = 'scoring')
            and surveys.responded_at < moments.moment_at
            and {{ local_day('surveys.responded_at', 'refresh.time_zone') }}
            > {{ add_days('moments.moment_day', -365) }}
    where
        surveys.question in ('nps', 'csat')
        and surveys.score is not null

),

known as (

    select
        subscribers.*,
        moments.sample,
        moments.moment_day,
        moments.moment_at,
        moments.has_prior,
        feeds.has_events,
        stayed.subscriber is null as has_left,
        paused.subscriber is not null as is_paused,
        subscribers.is_past_due or failed.subscriber is not null
            as has_failed_payment,
        coalesce(activity.active_days, 0) as active_days,
        coalesce(activity.prior_active_days, 0) as prior_active_days,
        coalesce(activity.engaged_seconds, 0) as engaged_seconds,
        cast(speed.slow_count as double) / speed.view_count as slow_share,
        answers.satisfaction,
        {{ seconds_between('subscribers.first_at', 'moments.moment_at') }} / 86400
            as tenure_days,
        {{ seconds_between('last_bookings.last_at', 'moments.moment_at') }} / 86400
            as unpaid_days,
        {{ seconds_between('first_booking.first_at', 'moments.moment_at') }} / 86400
            as ledger_days,
        -- The longest between two bills, and ten days for the second to be booked.
        case subscribers.billing_period
            when 'week' then 7
            when 'month' then 31
            when 'quarter' then 92
            else 366
        end + 10 as patience_days
    from subscribers
    inner join moments on subscribers.moment = moments.moment
    cross join feeds
    cross join first_booking
    left join stayed
        on
            subscribers.moment = stayed.moment
            and subscribers.subscriber = stayed.subscriber
    left join paused
        on
            subscribers.moment = paused.moment
            and subscribers.subscriber = paused.subscriber
    left join failed
        on
            subscribers.moment = failed.moment
            and subscribers.subscriber = failed.subscriber
    left join last_bookings
        on
            subscribers.moment = last_bookings.moment
            and subscribers.subscriber = last_bookings.subscriber
    left join activity
        on
            subscribers.moment = activity.moment
            and subscribers.subscriber = activity.subscriber
    left join speed
        on
            subscribers.moment = speed.moment
            and subscribers.subscriber = speed.subscriber
    left join answers
        on
            subscribers.moment = answers.moment
            and subscribers.subscriber = answers.subscriber
            and answers.answer_rank = 1

),

examples as (

    select
        sample,
        subscriber,
        moment_day,
        plan,
        case when sample <> 'scoring' then has_left end as has_left,
        case when sample <> 'scoring' then is_paused and has_left end as is_paused,
        tenure_days,
        case when has_events and active_days = 0 then 1.0 else 0.0 end as is_inactive,
        round(ln(1 + tenure_days / 30.4375), 3) as tenure,
        case when has_failed_payment then 1.0 else 0.0 end as has_failed_payment,
        cast(active_days as double) as active_days,
        case
            when has_prior then cast(active_days - prior_active_days as double)
            else 0.0
        end as active_days_change,
        case billing_period
            when 'week' then round(12 / 52.0, 3)
            when 'month' then 1.0
            when 'quarter' then 3.0
            else 12.0
        end as billing_months,
        coalesce(round(ln(1 + mrr), 3), 0.0) as price,
        case
            when
                tenure_days > 10
                and ledger_days > patience_days
                and coalesce(unpaid_days > patience_days, true)
                then 1.0
            else 0.0
        end as is_payment_missing,
        round(ln(1 + cast(engaged_seconds as double) / 60), 2) as engaged_minutes,
        case when slow_share is null then 1.0 else 0.0 end as is_speed_unknown,
        coalesce(round(slow_share, 3), 0.0) as slow_share,
        case when satisfaction is null then 1.0 else 0.0 end
            as is_satisfaction_unknown,
        coalesce(round(satisfaction, 3), 0.0) as satisfaction
    from known

),

counted as (

    select
        count(*) filter (where sample = 'calibration' and has_left) as taught_left,
        count(*) filter (where sample = 'calibration' and not has_left)
            as taught_stayed,
        count(*) filter (where sample = 'holdout' and has_left) as judged_left,
        count(*) filter (where sample = 'holdout' and not has_left) as judged_stayed
    from examples

),

-- Judged on later periods, if enough came before and after the calibration end; else on
-- a fifth of the customers that the score is not fitted on.
split as (

    select
        case
            when
                least(taught_left, taught_stayed, judged_left, judged_stayed) >= 20
                then 'later_periods'
            else 'other_customers'
        end as judged_on
    from counted

),

named as (

    select
        people.customer_id,
        people.fold,
        examples.*,
        split.judged_on
    from examples
    inner join people on examples.subscriber = people.subscriber
    cross join split

),

{% set columns = [
    'customer_id', 'moment_day', 'plan', 'fold', 'has_left', 'is_paused', 'tenure_days',
] + churn_columns() + ['judged_on'] -%}

final as (

    select
        sample,
        {{ columns | join(',\n        ') }}
    from named
    where sample in ('scoring', 'current') or judged_on = 'later_periods'

    union all

    select
        case when fold = 4 then 'holdout' else 'calibration' end as sample,
        {{ columns | join(',\n        ') }}
    from named
    where sample = 'current' and judged_on = 'other_customers'

)

select * from final
