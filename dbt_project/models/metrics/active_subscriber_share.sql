with

refresh as (

    select * from {{ source('run', 'refresh') }}

),

use as (

    select * from {{ ref('int_subscriber_use') }}

),

final as (

    select
        {{ day_of_month('use.month') }} as day,
        use.segment_type,
        use.segment,
        use.active_customers as numerator,
        use.paying_customers as denominator,
        use.paying_customers as n
    from use
    cross join refresh

)

select * from final
