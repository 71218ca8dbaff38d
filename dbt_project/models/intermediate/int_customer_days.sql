{#
  A view: of most of its rows its readers want only a part, or sums. In one piece, so that the days
  a reader asks for are all that is read.
#}
{{ config(materialized='view') }}

with

daily_customers as (

    select * from {{ ref('int_daily_customers') }}

),

refresh as (

    select * from {{ source('run', 'refresh') }}

),

final as (

    select
        daily_customers.customer_key,
        daily_customers.day,
        cast(sum(daily_customers.page_views) as bigint) as page_views,
        cast(sum(daily_customers.engaged_seconds) as decimal(18, 3)) as engaged_seconds
    from daily_customers
    inner join refresh on daily_customers.day <= refresh.as_of_day
    group by daily_customers.customer_key, daily_customers.day

)

select * from final
