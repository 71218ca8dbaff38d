with

refresh as (

    select * from {{ source('run', 'refresh') }}

),

months as (

    select month from {{ ref('int_months') }}

    union

    -- Bills of landed days after the as-of day are allocated too: it may move on to
    -- them.
    select {{ month_of('day') }} as month from {{ ref('stg_ad_revenue') }}

    union

    -- Money may be spent before the first is earned.
    select {{ month_of('day') }} as month from {{ ref('stg_costs') }}

),

quoted as (

    select * from {{ ref('stg_exchange_rates') }}

),

currencies as (

    select currency from {{ ref('stg_payments') }}
    union
    select currency from {{ ref('stg_subscriptions') }}
    union
    select currency from {{ ref('stg_ad_revenue') }}
    union
    select currency from {{ ref('stg_costs') }}

),

candidates as (

    select
        months.month,
        currencies.currency,
        max(quoted.day) filter (where quoted.day <= months.month) as last_day,
        min(quoted.day) as first_day
    from months
    cross join currencies
    left join quoted on currencies.currency = quoted.currency
    group by months.month, currencies.currency

),

final as (

    -- One rate a month: the latest quoted by its first day, else the first quoted after
    -- it.
    select
        candidates.month,
        candidates.currency,
        case
            when candidates.currency = refresh.currency then 1.0
            else quoted.rate
        end as rate
    from candidates
    cross join refresh
    left join quoted
        on
            candidates.currency = quoted.currency
            and coalesce(candidates.last_day, candidates.first_day) = quoted.day

)

select * from final
