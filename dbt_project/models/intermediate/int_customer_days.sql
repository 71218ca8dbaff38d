{#
  A view: of most of its rows its readers want only a part, or sums. Whoever has no account is on a
  day the one visitor he is, as he is in int_daily_visitors; only accounts are summed.
#}
{{ config(materialized='view') }}

with

account_visitors as (

    select * from {{ ref('int_account_visitors') }}

),

daily_visitors as (

    select
        daily_visitors.*,
        coalesce(daily_visitors.account_id, account_visitors.account_id) as owner_id
    from {{ ref('int_daily_visitors') }} as daily_visitors
    inner join {{ source('run', 'refresh') }} as refresh
        on daily_visitors.day <= refresh.as_of_day
    left join account_visitors
        on daily_visitors.visitor_id = account_visitors.visitor_id

),

final as (

    select
        owner_id as customer_id,
        day,
        cast(sum(event_count) as bigint) as event_count,
        cast(sum(page_views) as bigint) as page_views,
        cast(sum(engaged_seconds) as decimal(18, 3)) as engaged_seconds,
        min(first_at) as first_at,
        max(last_at) as last_at
    from daily_visitors
    where owner_id is not null
    group by owner_id, day

    union all

    select
        visitor_id as customer_id,
        day,
        event_count,
        page_views,
        engaged_seconds,
        first_at,
        last_at
    from daily_visitors
    where owner_id is null

)

select * from final
