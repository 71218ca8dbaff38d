with

counted as (

    select
        {{ local_day('surveys.responded_at', 'refresh.time_zone') }} as day,
        surveys.touchpoint,
        case when surveys.score >= 4 then 1 else 0 end as is_satisfied
    from {{ ref('stg_surveys') }} as surveys
    inner join {{ source('run', 'refresh') }} as refresh
        on surveys.responded_at < refresh.as_of_end_at
    where surveys.question = 'csat' and surveys.score is not null

),

final as (

    {{ by_segments(
        'counted',
        numerator='sum(is_satisfied)',
        denominator='count(*)',
        segments=['touchpoint']
    ) }}

)

select * from final
