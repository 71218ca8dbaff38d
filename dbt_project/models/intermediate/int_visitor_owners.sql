with

daily_visitors as (

    select * from {{ ref('int_daily_visitors') }}

),

refresh as (

    select * from {{ source('run', 'refresh') }}

),

logged_in as (

    select
        daily_visitors.visitor_id,
        daily_visitors.account_id,
        min(daily_visitors.day) as first_day
    from daily_visitors
    cross join refresh
    where
        daily_visitors.account_id is not null
        and daily_visitors.day <= refresh.as_of_day
    group by daily_visitors.visitor_id, daily_visitors.account_id

),

ranked as (

    select
        *,
        row_number() over (
            partition by visitor_id order by first_day, account_id
        ) as account_rank
    from logged_in

),

final as (

    select
        visitor_id,
        max(case when account_rank = 1 then account_id end) as customer_id,
        max(case when account_rank = 1 then first_day end) as owned_from_day,
        max(case when account_rank = 2 then first_day end) as shared_from_day
    from ranked
    where account_rank <= 2
    group by visitor_id

)

select * from final
