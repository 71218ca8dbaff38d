with

pairs as (

    select distinct
        daily_visitors.visitor_id,
        daily_visitors.account_id
    from {{ ref('int_daily_visitors') }} as daily_visitors
    inner join {{ source('run', 'refresh') }} as refresh
        on daily_visitors.day <= refresh.as_of_day

),

visitors as (

    select
        visitor_id,
        count(account_id) as account_count,
        min(account_id) as account_id
    from pairs
    group by visitor_id

),

final as (

    select
        visitor_id,
        account_count,
        account_count > 1 as is_shared_device,
        -- Seen with two accounts or more, a device keeps its logged-out events to
        -- itself.
        case when account_count = 1 then account_id else visitor_id end as customer_id
    from visitors

)

select * from final
