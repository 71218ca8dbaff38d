with

costs as (

    select * from {{ ref('stg_costs') }}
    where kind = 'acquisition'

),

rates as (

    select * from {{ ref('int_monthly_rates') }}

),

refresh as (

    select * from {{ source('run', 'refresh') }}

),

converted as (

    select
        {{ month_of('costs.day') }} as month,
        coalesce(costs.channel, '(unknown)') as channel,
        cast(
            round(cast(costs.amount as double) * rates.rate, 4) as decimal(18, 4)
        ) as amount
    from costs
    inner join refresh on costs.day <= refresh.as_of_day
    left join rates
        on
            costs.currency = rates.currency
            and {{ month_of('costs.day') }} = rates.month

),

final as (

    select
        month,
        channel,
        cast(sum(amount) as decimal(18, 4)) as acquisition_cost
    from converted
    group by month, channel

)

select * from final
