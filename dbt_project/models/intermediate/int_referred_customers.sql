{# So long a circle of customers who recommended one another is looked for. #}
{% set longest_circle = 12 %}

with recursive

referrals as (

    select * from {{ ref('int_referrals') }}
    where outcome in ('registration', 'subscription')

),

accounts as (

    select * from {{ ref('stg_accounts') }}

),

refresh as (

    select * from {{ source('run', 'refresh') }}

),

told as (

    select
        customer_id,
        referred_customer_id,
        occurred_at,
        day
    from referrals

    union all

    select
        accounts.referred_by_account_id as customer_id,
        accounts.account_id as referred_customer_id,
        accounts.registered_at as occurred_at,
        {{ local_day('accounts.registered_at', 'refresh.time_zone') }} as day
    from accounts
    inner join refresh
        on
            accounts.registered_at < refresh.as_of_end_at
            or accounts.registered_at is null

),

ranked as (

    -- Nobody recommends himself. An account whose registration has no date was there
    -- before whatever has one.
    select
        customer_id,
        referred_customer_id,
        day,
        row_number() over (
            partition by referred_customer_id
            order by occurred_at nulls first, customer_id
        ) as place
    from told
    where customer_id <> referred_customer_id

),

first_told as (

    -- A customer can be won only once: who recommended first has won him.
    select
        customer_id,
        referred_customer_id,
        day as referred_day
    from ranked
    where place = 1

),

walks as (

    -- From each customer to who recommended to him, and so on.
    select
        referred_customer_id as started_from,
        customer_id,
        1 as steps
    from first_told

    union all

    select
        walks.started_from,
        first_told.customer_id,
        walks.steps + 1 as steps
    from walks
    inner join first_told on walks.customer_id = first_told.referred_customer_id
    where
        walks.steps < {{ longest_circle }}
        and walks.customer_id <> walks.started_from

),

circles as (

    select distinct started_from as referred_customer_id
    from walks
    where customer_id = started_from

),

final as (

    select
        first_told.referred_customer_id,
        first_told.customer_id,
        first_told.referred_day,
        circles.referred_customer_id is not null as is_in_circle
    from first_told
    left join circles
        on first_told.referred_customer_id = circles.referred_customer_id

)

select * from final
