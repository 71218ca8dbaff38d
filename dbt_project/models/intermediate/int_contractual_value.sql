with

refresh as (

    select * from {{ source('run', 'refresh') }}

),

assumptions as (

    select * from {{ source('run', 'assumptions') }}

),

contracts as (

    select * from {{ ref('int_contracts') }}

),

curves as (

    select * from {{ ref('curve_contractual') }}

),

rates as (

    select * from {{ ref('int_monthly_rates') }}

),

active as (

    select
        contracts.customer_id,
        contracts.currency,
        contracts.amount,
        contracts.segment,
        {{ month_of('refresh.as_of_day') }} as month,
        -- The period he is in; an unpaid bill is a renewal not made yet.
        case
            when contracts.outcome = 'unpaid' then greatest(contracts.last_period, 0)
            else contracts.due_periods
        end + 1 as period
    from contracts
    cross join refresh
    where
        contracts.sample = 'current'
        and contracts.outcome in ('active', 'unpaid')

),

margins as (

    select
        low,
        base,
        high
    from assumptions
    where assumption = 'subscription_margin'

),

valued as (

    select
        active.customer_id,
        curves.method,
        cast(active.amount as double) * rates.rate * margins.low * curves.derl_low
            as value_low,
        cast(active.amount as double) * rates.rate * margins.base * curves.derl_base
            as value_base,
        cast(active.amount as double) * rates.rate * margins.high * curves.derl_high
            as value_high,
        margins.base is null as is_margin_unknown,
        rates.rate is null as is_rate_unknown,
        curves.retention is not null and curves.derl_base is null as is_undiscounted
    from active
    cross join margins
    left join rates
        on
            active.currency = rates.currency
            and active.month = rates.month
    left join curves
        on
            active.segment = curves.segment
            and active.period = curves.period

),

rounded as (

    -- Before they are added up: sums of decimals do not depend on their order.
    select
        customer_id,
        method,
        is_margin_unknown,
        is_rate_unknown,
        is_undiscounted,
        cast(round(value_low, 4) as decimal(18, 4)) as value_low,
        cast(round(value_base, 4) as decimal(18, 4)) as value_base,
        cast(round(value_high, 4) as decimal(18, 4)) as value_high
    from valued

),

final as (

    -- A sum of which a part is unknown is unknown.
    select
        customer_id,
        case
            when count(value_low) = count(*)
                then cast(sum(value_low) as decimal(18, 4))
        end as contractual_value_low,
        case
            when count(value_base) = count(*)
                then cast(sum(value_base) as decimal(18, 4))
        end as contractual_value_base,
        case
            when count(value_high) = count(*)
                then cast(sum(value_high) as decimal(18, 4))
        end as contractual_value_high,
        case
            when min(method) <> max(method) then 'several'
            else coalesce(min(method), 'unknown')
        end as method,
        case
            when bool_or(is_margin_unknown)
                then 'the assumption subscription_margin is not stated'
            when bool_or(is_rate_unknown)
                then 'a contract is in a currency without an exchange rate'
            when bool_or(is_undiscounted)
                then 'annual_discount_rate is 0: a lifetime may be infinite'
            when count(value_base) < count(*)
                then 'nothing was seen of how such contracts are renewed'
        end as reason,
        count(*) as contract_count
    from rounded
    group by customer_id

)

select * from final
