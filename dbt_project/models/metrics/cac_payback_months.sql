with

refresh as (

    select * from {{ source('run', 'refresh') }}

),

acquisition as (

    select * from {{ ref('acquisition') }}

),

months as (

    select * from {{ ref('int_months') }}
    where is_complete_month

),

first_months as (

    -- Before the first customer is told, whom the money brought is unknown.
    select min(month) as month from acquisition
    where acquired_customers > 0

),

mrr as (

    select * from {{ ref('mrr_monthly') }}
    where plan = '(all plans)' and paying_customers > 0

),

margins as (

    select {{ assumed('subscription_margin', 'base') }} as margin
    from {{ source('run', 'assumptions') }}

),

final as (

    select
        {{ day_of_month('acquisition.month') }} as day,
        case when acquisition.channel = '(all)' then 'all' else 'channel' end
            as segment_type,
        acquisition.channel as segment,
        acquisition.acquisition_cost as numerator,
        cast(
            acquisition.acquired_customers
            * round(mrr.arppu * margins.margin, 6) as decimal(28, 6)
        ) as denominator,
        acquisition.acquired_customers as n
    from acquisition
    inner join months on acquisition.month = months.month
    inner join first_months on acquisition.month >= first_months.month
    cross join refresh
    inner join mrr on acquisition.month = mrr.month
    inner join margins on margins.margin is not null
    where acquisition.channel <> '(unknown)'

)

select * from final
