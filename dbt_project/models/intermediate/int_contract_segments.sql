with

contracts as (

    select * from {{ ref('int_contracts') }}

),

final as (

    select
        sample,
        segment,
        plan,
        billing_period,
        cast(
            sum(greatest({{ days_between('from_day', 'to_day') }}, 0)) as bigint
        ) as observed_days,
        count(*) filter (where outcome = 'churned' and to_day >= from_day)
            as observed_churned,
        cast(max(due_periods) as bigint) as longest_period
    from contracts
    group by sample, segment, plan, billing_period

)

select * from final
