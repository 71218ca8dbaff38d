with

visitor_days as (

    select * from {{ ref('int_visitor_days') }}

),

refresh as (

    select * from {{ source('run', 'refresh') }}

),

logged_in as (

    select
        visitor_days.visitor_id,
        visitor_days.account_id,
        min(visitor_days.day) as first_day
    from visitor_days
    cross join refresh
    where
        visitor_days.account_id is not null
        and visitor_days.day <= refresh.as_of_day
    group by visitor_days.visitor_id, visitor_days.account_id

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
