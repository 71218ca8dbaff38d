with

final as (

    select
        {{ day_of_month('months.month') }} as day,
        case when mrr.plan = '(all plans)' then 'all' else 'plan' end as segment_type,
        case when mrr.plan = '(all plans)' then '(all)' else mrr.plan end as segment,
        mrr.end_mrr as numerator,
        null as denominator,
        mrr.paying_customers as n
    from {{ ref('mrr_monthly') }} as mrr
    inner join {{ ref('int_months') }} as months on mrr.month = months.month
    cross join {{ source('run', 'refresh') }} as refresh

)

select * from final
