with

mrr as (

    select * from {{ ref('int_mrr') }}

),

readers as (

    select * from {{ ref('int_month_readers') }}

),

refresh as (

    select * from {{ source('run', 'refresh') }}

),

first_days as (

    select min(day) as day from {{ ref('int_visitor_days') }}
    where account_key is not null

),

known as (

    -- Before events name accounts, no customer is known to have been away.
    select distinct readers.month
    from readers
    cross join refresh
    inner join first_days
        on
            first_days.day
            <= {{ add_days(day_of_month('readers.month'), -29) }}

),

paying as (

    -- Who has two plans is a customer of both, and one of all.
    select
        customer_id,
        month,
        'plan' as segment_type,
        plan as segment
    from mrr

    union

    select
        customer_id,
        month,
        'all' as segment_type,
        '(all)' as segment
    from mrr

),

final as (

    select
        paying.month,
        paying.segment_type,
        paying.segment,
        count(*) as paying_customers,
        count(readers.customer_key) as active_customers
    from paying
    inner join known on paying.month = known.month
    left join readers
        on
            {{ surrogate_key('paying.customer_id') }} = readers.customer_key
            and paying.month = readers.month
    group by paying.month, paying.segment_type, paying.segment

)

select * from final
