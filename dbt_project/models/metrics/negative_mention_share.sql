with

counted as (

    select
        {{ local_day('mentions.occurred_at', 'refresh.time_zone') }} as day,
        mentions.platform,
        case when mentions.sentiment < 0 then 1 else 0 end as is_negative
    from {{ ref('stg_mentions') }} as mentions
    cross join {{ source('run', 'refresh') }} as refresh

),

final as (

    {{ by_segments(
        'counted',
        numerator='sum(is_negative)',
        denominator='count(*)',
        segments=['platform']
    ) }}

)

select * from final
