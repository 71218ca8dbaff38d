with

refresh as (

    select * from {{ source('run', 'refresh') }}

),

mrr as (

    select * from {{ ref('mrr_monthly') }}

),

subscriptions as (

    select * from {{ ref('stg_subscriptions') }}

),

reasons as (

    select min({{ month_of(
        local_day(
            'coalesce(subscriptions.ended_at, subscriptions.started_at)',
            'refresh.time_zone'
        )
    ) }}) as first_month
    from subscriptions
    cross join refresh
    where
        subscriptions.end_reason is not null
        or subscriptions.status = 'past_due'

),

final as (

    select
        {{ day_of_month('mrr.month') }} as day,
        case when mrr.plan = '(all plans)' then 'all' else 'plan' end as segment_type,
        case when mrr.plan = '(all plans)' then '(all)' else mrr.plan end as segment,
        mrr.involuntary_churned_customers as numerator,
        mrr.starting_customers as denominator,
        mrr.starting_customers as n
    from mrr
    cross join refresh
    cross join reasons
    where
        mrr.starting_customers > 0
        and mrr.is_complete_month
        -- Why somebody left is unknown until the first reason is told.
        and (
            mrr.churned_customers = 0
            or coalesce(mrr.month >= reasons.first_month, false)
        )

)

select * from final
