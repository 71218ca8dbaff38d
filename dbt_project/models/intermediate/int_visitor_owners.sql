with

logins as (

    select * from {{ ref('int_visitor_accounts') }}
    where account_id is not null

),

ranked as (

    select
        *,
        row_number() over (
            partition by visitor_key order by first_day, account_id
        ) as account_rank
    from logins

),

final as (

    select
        min(visitor_id) as visitor_id,
        visitor_key,
        max(case when account_rank = 1 then account_id end) as customer_id,
        max(case when account_rank = 1 then account_key end) as customer_key,
        max(case when account_rank = 1 then first_day end) as owned_from_day,
        max(case when account_rank = 2 then first_day end) as shared_from_day
    from ranked
    where account_rank <= 2
    group by visitor_key

)

select * from final
