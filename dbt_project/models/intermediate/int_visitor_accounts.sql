with

daily_visitors as (

    select * from {{ ref('int_daily_visitors') }}

),

refresh as (

    select * from {{ source('run', 'refresh') }}

),

final as (

    select
        -- The same of a key on all days: none of them need be compared.
        any_value(daily_visitors.visitor_id) as visitor_id,
        any_value(daily_visitors.account_id) as account_id,
        daily_visitors.visitor_key,
        daily_visitors.account_key,
        min(daily_visitors.day) as first_day,
        max(daily_visitors.day) as last_day,
        min(daily_visitors.first_at) as first_at,
        max(daily_visitors.last_at) as last_at
    from daily_visitors
    inner join refresh on daily_visitors.day <= refresh.as_of_day
    group by daily_visitors.visitor_key, daily_visitors.account_key

)

select * from final
