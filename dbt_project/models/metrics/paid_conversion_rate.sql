with

refresh as (

    select * from {{ source('run', 'refresh') }}

),

bought as (

    select * from {{ ref('int_first_purchases') }}

),

first_days as (

    select min(day) as day from bought

),

months as (

    -- Before the first purchase is told, nobody is known not to have bought.
    select {{ months_since('first_days.day') }} as month
    from first_days
    cross join refresh

),

accounts as (

    select
        {{ month_of('bought.day') }} as bought_month,
        case
            when bought.day is null or accounts.registered_at < bought.day
                then {{ month_of(
                    local_day('accounts.registered_at', 'refresh.time_zone')
                ) }}
            else {{ month_of('bought.day') }}
        end as registered_month
    from {{ ref('stg_accounts') }} as accounts
    cross join refresh
    left join bought
        on accounts.account_id = bought.customer_id

),

by_month as (

    select
        registered_month,
        bought_month,
        count(*) as accounts
    from accounts
    group by registered_month, bought_month

),

counted as (

    select
        {{ day_of_month('months.month') }} as day,
        case when by_month.bought_month = months.month then by_month.accounts else 0 end
            as bought,
        by_month.accounts
    from months
    cross join refresh
    inner join by_month
        on
            coalesce(by_month.registered_month <= months.month, true)
            and coalesce(by_month.bought_month >= months.month, true)
    where {{ add_days(add_months('months.month', 1), -1) }} <= refresh.as_of_day

),

final as (

    {{ by_segments(
        'counted',
        numerator='sum(bought)',
        denominator='sum(accounts)',
        n='sum(accounts)'
    ) }}

)

select * from final
