{# A view: of most of its rows its readers want only a part, or sums. #}
{{ config(materialized='view') }}

with

visitor_days as (

    select * from {{ ref('int_visitor_days') }}

),

identity as (

    select * from {{ ref('int_identity') }}

),

refresh as (

    select * from {{ source('run', 'refresh') }}

),

final as (

    select
        coalesce(visitor_days.account_id, identity.customer_id) as customer_id,
        visitor_days.day,
        cast(sum(visitor_days.event_count) as bigint) as event_count,
        cast(sum(visitor_days.page_views) as bigint) as page_views,
        cast(sum(visitor_days.engaged_seconds) as decimal(18, 3)) as engaged_seconds,
        min(visitor_days.first_at) as first_at,
        max(visitor_days.last_at) as last_at
    from visitor_days
    inner join identity on visitor_days.visitor_id = identity.visitor_id
    cross join refresh
    where visitor_days.day <= refresh.as_of_day
    group by coalesce(visitor_days.account_id, identity.customer_id), visitor_days.day

)

select * from final
