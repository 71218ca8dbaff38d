with

counted as (

    select
        {{ local_day('feedback.received_at', 'refresh.time_zone') }} as day,
        feedback.channel,
        case when feedback.sentiment < 0 then 1 else 0 end as is_negative
    from {{ ref('stg_feedback') }} as feedback
    inner join {{ source('run', 'refresh') }} as refresh
        on feedback.received_at < refresh.as_of_end_at
    where feedback.sentiment is not null

),

final as (

    {{ by_segments(
        'counted',
        numerator='sum(is_negative)',
        denominator='count(*)',
        segments=['channel']
    ) }}

)

select * from final
