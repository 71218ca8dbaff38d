with

trials as (

    select
        subscription_id,
        min(started_at) as started_at,
        {{ earliest('plan', 'started_at') }} as plan
    from {{ ref('stg_subscriptions') }}
    where status = 'trial'
    group by subscription_id

),

counted as (

    select
        {{ local_day('trials.started_at', 'refresh.time_zone') }} as day,
        trials.plan
    from trials
    inner join {{ source('run', 'refresh') }} as refresh
        on trials.started_at < refresh.as_of_end_at

),

final as (

    {{ by_segments(
        'counted',
        numerator='count(*)',
        segments=['plan']
    ) }}

)

select * from final
