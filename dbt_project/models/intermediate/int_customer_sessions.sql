{# A view: of most of its rows its readers want only a part, or sums. #}
{{ config(materialized='view') }}

with

sessions as (

    select * from {{ ref('int_sessions') }}

),

identity as (

    select * from {{ ref('int_identity') }}

),

refresh as (

    select * from {{ source('run', 'refresh') }}

),

final as (

    -- A session in which somebody logs in is his, from its first page on.
    select
        coalesce(sessions.account_id, identity.customer_id) as customer_id,
        sessions.day,
        sessions.started_at,
        sessions.channel,
        sessions.country
    from sessions
    inner join identity on sessions.visitor_id = identity.visitor_id
    inner join refresh on sessions.day <= refresh.as_of_day

)

select * from final
