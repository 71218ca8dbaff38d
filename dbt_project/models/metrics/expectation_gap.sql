with

counted as (

    select
        {{ local_day('surveys.responded_at', 'refresh.time_zone') }} as day,
        surveys.touchpoint,
        cast(surveys.score as decimal(18, 6))
        - cast(surveys.expected_score as decimal(18, 6)) as gap
    from {{ ref('stg_surveys') }} as surveys
    inner join {{ source('run', 'refresh') }} as refresh
        on surveys.responded_at < refresh.as_of_end_at
    where surveys.score is not null and surveys.expected_score is not null

),

final as (

    {{ by_segments(
        'counted',
        numerator='sum(gap)',
        denominator='count(*)',
        segments=['touchpoint']
    ) }}

)

select * from final
