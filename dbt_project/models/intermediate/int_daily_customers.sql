{#
  A view, in two parts: who was logged in need not be looked up, and what models join to it is
  joined after the few visitors of accounts, not before.
#}
{{ config(materialized='view') }}

with

account_visitors as (

    select * from {{ ref('int_account_visitors') }}

),

logged_in as (

    select
        account_key as customer_key,
        true as is_account,
        true as is_logged_in,
        day,
        page_views,
        engaged_seconds,
        first_device,
        last_device
    from {{ ref('int_daily_visitors') }}
    where account_key is not null

),

logged_out as (

    select
        {{ customer_of('daily_visitors') }} as customer_key,
        account_visitors.account_key is not null as is_account,
        false as is_logged_in,
        daily_visitors.day,
        daily_visitors.page_views,
        daily_visitors.engaged_seconds,
        daily_visitors.first_device,
        daily_visitors.last_device
    from {{ ref('int_daily_visitors') }} as daily_visitors
    left join account_visitors
        on daily_visitors.visitor_key = account_visitors.visitor_key
    where daily_visitors.account_key is null

),

final as (

    select * from logged_in

    union all

    select * from logged_out

)

select * from final
