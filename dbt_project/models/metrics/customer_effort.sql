with

counted as (

    select
        {{ local_day('surveys.responded_at', 'refresh.time_zone') }} as day,
        surveys.touchpoint,
        cast(surveys.score as decimal(18, 6)) as score
    from {{ ref('stg_surveys') }} as surveys
    inner join {{ source('run', 'refresh') }} as refresh
        on surveys.responded_at < refresh.as_of_end_at
    where surveys.question = 'ces' and surveys.score is not null

),

final as (

    {{ by_segments(
        'counted',
        numerator='sum(score)',
        denominator='count(*)',
        segments=['touchpoint']
    ) }}

)

select * from final
