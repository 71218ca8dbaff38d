with

contracts as (

    select * from {{ ref('int_contracts') }}

),

alike as (

    -- Counted first: there are far fewer kinds of contract than contracts.
    select
        sample,
        segment,
        plan,
        billing_period,
        cohort,
        first_period,
        last_period,
        coalesce(churned_period = last_period, false) as is_churned,
        count(*) as contract_count
    from contracts
    where first_period <= last_period
    group by
        sample,
        segment,
        plan,
        billing_period,
        cohort,
        first_period,
        last_period,
        coalesce(churned_period = last_period, false)

),

opportunities as (

    select
        *,
        {{ each_number('first_period', 'last_period') }} as period
    from alike

),

final as (

    select
        sample,
        segment,
        plan,
        billing_period,
        cohort,
        cast(period as bigint) as period,
        cast(sum(contract_count) as bigint) as at_risk,
        cast(
            sum(
                case
                    when is_churned and period = last_period then contract_count
                    else 0
                end
            ) as bigint
        ) as churned
    from opportunities
    group by sample, segment, plan, billing_period, cohort, period

)

select * from final
