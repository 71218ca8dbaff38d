with

referred_customers as (

    -- Who recommended one another in a circle cannot all have been won by another.
    select * from {{ ref('int_referred_customers') }}
    where not is_in_circle

),

payments as (

    select * from {{ ref('int_payments') }}

),

visitor_value as (

    select * from {{ ref('int_visitor_value_days') }}

),

account_visitors as (

    select * from {{ ref('int_account_visitors') }}

),

clicks as (

    select * from {{ ref('int_click_credits') }}

),

futures as (

    select * from {{ ref('int_future_value') }}

),

saved_costs as (

    select * from {{ ref('int_saved_costs') }}

),

refresh as (

    select * from {{ source('run', 'refresh') }}

),

assumptions as (

    select
        {{ assumed('referral_incremental_share', 'low') }} as share_low,
        {{ assumed('referral_incremental_share', 'base') }} as share_base,
        {{ assumed('referral_incremental_share', 'high') }} as share_high,
        {{ assumed('saved_acquisition_cost', 'low') }} as saved_cost_low,
        {{ assumed('saved_acquisition_cost', 'base') }} as saved_cost_base,
        {{ assumed('saved_acquisition_cost', 'high') }} as saved_cost_high
    from {{ source('run', 'assumptions') }}

),

brought as (

    select
        customer_id,
        day,
        amount as own_value,
        cast(0 as decimal(18, 4)) as click_value
    from payments

    union all

    -- Of millions of visitor-days only those of who was referred.
    select
        referred_customers.referred_customer_id as customer_id,
        visitor_value.day,
        visitor_value.visitor_value as own_value,
        cast(0 as decimal(18, 4)) as click_value
    from visitor_value
    left join account_visitors
        on visitor_value.visitor_key = account_visitors.visitor_key
    inner join referred_customers
        on
            {{ customer_of('visitor_value') }}
            = {{ surrogate_key('referred_customers.referred_customer_id') }}
    inner join refresh on visitor_value.day <= refresh.as_of_day

    union all

    select
        referred_customer_id as customer_id,
        day,
        cast(0 as decimal(18, 4)) as own_value,
        click_value
    from clicks

),

valued as (

    -- What he brought before he was referred nobody's recommendation brought; what is
    -- credited for clicks is not credited twice.
    select
        referred_customers.referred_customer_id,
        referred_customers.customer_id,
        referred_customers.referred_day,
        coalesce(sum(brought.own_value), 0) as own_value,
        coalesce(sum(brought.click_value), 0) as click_value,
        least(
            coalesce(sum(brought.own_value - brought.click_value), 0),
            coalesce(
                sum(brought.own_value - brought.click_value) filter (
                    where coalesce(brought.day >= referred_customers.referred_day, true)
                ),
                0
            )
        ) as value_so_far
    from referred_customers
    left join brought on referred_customers.referred_customer_id = brought.customer_id
    group by
        referred_customers.referred_customer_id,
        referred_customers.customer_id,
        referred_customers.referred_day

),

priced as (

    select
        valued.referred_customer_id,
        valued.customer_id,
        valued.referred_day,
        valued.own_value + coalesce(futures.future_value_base, 0) as own_value,
        valued.click_value,
        greatest(valued.value_so_far, 0) as value_observed,
        greatest(valued.value_so_far + coalesce(futures.future_value_low, 0), 0)
            as value_low,
        greatest(valued.value_so_far + coalesce(futures.future_value_base, 0), 0)
            as value_base,
        greatest(valued.value_so_far + coalesce(futures.future_value_high, 0), 0)
            as value_high,
        saved_costs.saved_cost is not null as is_cost_observed,
        coalesce(cast(saved_costs.saved_cost as double), assumptions.saved_cost_low)
            as saved_cost_low,
        coalesce(cast(saved_costs.saved_cost as double), assumptions.saved_cost_base)
            as saved_cost_base,
        coalesce(cast(saved_costs.saved_cost as double), assumptions.saved_cost_high)
            as saved_cost_high,
        assumptions.share_low,
        assumptions.share_base,
        assumptions.share_high
    from valued
    cross join assumptions
    left join futures on valued.referred_customer_id = futures.customer_id
    left join saved_costs
        on {{ month_of('valued.referred_day') }} = saved_costs.month

),

final as (

    select
        referred_customer_id,
        customer_id,
        referred_day,
        cast(own_value as decimal(18, 4)) as own_value,
        cast(click_value as decimal(18, 4)) as click_value,
        {{ referral_credit('value_low', 'saved_cost_low', 'share_low') }}
            as credit_low,
        {{ referral_credit('value_base', 'saved_cost_base', 'share_base') }}
            as credit_base,
        {{ referral_credit('value_high', 'saved_cost_high', 'share_high') }}
            as credit_high,
        -- The saved cost is credited whatever the share is: so much is no assumption.
        cast(
            case
                when is_cost_observed
                    then least(cast(value_observed as double), saved_cost_base)
                else 0
            end as decimal(18, 4)
        ) as credit_observed
    from priced

)

select * from final
