with

refresh as (

    select * from {{ source('run', 'refresh') }}

),

mrr as (

    select * from {{ ref('mrr_monthly') }}
    where plan = '(all plans)' and paying_customers > 0

),

equity as (

    select * from {{ ref('customer_equity') }}

),

final as (

    select
        {{ day_of_month('mrr.month') }} as day,
        'all' as segment_type,
        '(all)' as segment,
        equity.economic_future_value as numerator,
        mrr.paying_customers as denominator,
        mrr.paying_customers as n
    from mrr
    inner join equity on mrr.month = equity.month
    cross join refresh

)

select * from final
