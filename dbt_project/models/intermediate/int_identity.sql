with

visitor_accounts as (

    select * from {{ ref('int_visitor_accounts') }}

),

visitors as (

    select
        visitor_key,
        min(visitor_id) as visitor_id,
        count(account_key) as account_count,
        min(account_id) as account_id,
        min(account_key) as account_key
    from visitor_accounts
    group by visitor_key

),

final as (

    -- Seen with two accounts or more, a device keeps its logged-out events to itself.
    select
        visitor_id,
        visitor_key,
        account_count,
        account_count > 1 as is_shared_device,
        case when account_count = 1 then account_id else visitor_id end as customer_id,
        case when account_count = 1 then account_key else visitor_key end
            as customer_key
    from visitors

)

select * from final
