{# A view: of most of its rows its readers want only a part, or sums. #}
{{ config(materialized='view') }}

with

sessions as (

    select * from {{ ref('int_sessions') }}

),

account_visitors as (

    select * from {{ ref('int_account_visitors') }}

),

refresh as (

    select * from {{ source('run', 'refresh') }}

),

final as (

    -- A session in which somebody logs in is his, from its first page on.
    select
        {{ customer_of('sessions') }} as customer_key,
        sessions.day,
        sessions.started_at,
        sessions.channel,
        sessions.country
    from sessions
    left join account_visitors
        on sessions.visitor_key = account_visitors.visitor_key
    inner join refresh on sessions.day <= refresh.as_of_day

)

select * from final
