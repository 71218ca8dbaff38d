with

refresh as (

    select * from {{ source('run', 'refresh') }}

),

equity as (

    select * from {{ ref('customer_equity') }}

),

final as (

    select
        {{ day_of_month('equity.month') }} as day,
        'all' as segment_type,
        '(all)' as segment,
        equity.customer_equity as numerator,
        null as denominator,
        equity.customer_count as n
    from equity
    cross join refresh

)

select * from final
