with

sessions as (

    select * from {{ ref('int_sessions') }}

),

refresh as (

    select * from {{ source('run', 'refresh') }}

),

final as (

    select
        sessions.day,
        coalesce(sessions.device, '(unknown)') as device,
        coalesce(sessions.channel, '(unknown)') as channel,
        count(*) as visits,
        count(sessions.account_id) as logged_in_visits
    from sessions
    inner join refresh on sessions.day <= refresh.as_of_day
    group by
        sessions.day,
        coalesce(sessions.device, '(unknown)'),
        coalesce(sessions.channel, '(unknown)')

)

select * from final
