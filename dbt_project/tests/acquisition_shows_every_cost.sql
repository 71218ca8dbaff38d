-- The channels' costs, and those of all channels, are what was spent on acquisition.
with

spent as (

    select
        coalesce(
            sum(
                cast(
                    round(cast(costs.amount as double) * rates.rate, 4)
                    as decimal(18, 4)
                )
            ),
            0
        ) as spent
    from {{ ref('stg_costs') }} as costs
    inner join {{ source('run', 'refresh') }} as refresh
        on costs.day <= refresh.as_of_day
    left join {{ ref('int_monthly_rates') }} as rates
        on
            costs.currency = rates.currency
            and {{ month_of('costs.day') }} = rates.month
    where costs.kind = 'acquisition'

),

shown as (

    select
        coalesce(
            sum(case when channel = '(all)' then 0 else acquisition_cost end), 0
        ) as by_channel,
        coalesce(
            sum(case when channel = '(all)' then acquisition_cost else 0 end), 0
        ) as of_all
    from {{ ref('acquisition') }}

)

select *
from spent
cross join shown
where spent.spent <> shown.by_channel or spent.spent <> shown.of_all
