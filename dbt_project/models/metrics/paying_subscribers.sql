with

refresh as (

    select * from {{ source('run', 'refresh') }}

),

mrr as (

    select * from {{ ref('mrr_monthly') }}

),

final as (

    select
        {{ day_of_month('mrr.month') }} as day,
        case when mrr.plan = '(all plans)' then 'all' else 'plan' end as segment_type,
        case when mrr.plan = '(all plans)' then '(all)' else mrr.plan end as segment,
        mrr.paying_customers as numerator,
        null as denominator,
        mrr.paying_customers as n
    from mrr
    cross join refresh

)

select * from final
