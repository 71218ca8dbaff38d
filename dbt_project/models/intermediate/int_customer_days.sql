{#
  A view: of most of its rows its readers want only a part, or sums. In one piece, so that the days
  a reader asks for are all that is read.
#}
{{ config(materialized='view') }}

with

daily_visitors as (

    select * from {{ ref('int_daily_visitors') }}

),

account_visitors as (

    select * from {{ ref('int_account_visitors') }}

),

refresh as (

    select * from {{ source('run', 'refresh') }}

),

final as (

    select
        {{ customer_of('daily_visitors') }} as customer_key,
        daily_visitors.day,
        cast(sum(daily_visitors.page_views) as bigint) as page_views,
        cast(sum(daily_visitors.engaged_seconds) as decimal(18, 3)) as engaged_seconds
    from daily_visitors
    inner join refresh on daily_visitors.day <= refresh.as_of_day
    left join account_visitors
        on daily_visitors.visitor_key = account_visitors.visitor_key
    group by
        {{ customer_of('daily_visitors') }},
        daily_visitors.day

)

select * from final
