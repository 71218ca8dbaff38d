-- What clicks are credited for a visit is its value: no more, and no less.
with

credited as (

    select
        day,
        visitor_id,
        coalesce(account_id, '') as account_id,
        sum(click_value) as click_value
    from {{ ref('int_click_credits') }}
    group by day, visitor_id, coalesce(account_id, '')

),

visits as (

    select
        day,
        visitor_id,
        coalesce(account_id, '') as account_id,
        visitor_value
    from {{ ref('int_visitor_value_days') }}

)

select credited.*
from credited
left join visits
    on
        credited.day = visits.day
        and credited.visitor_id = visits.visitor_id
        and credited.account_id = visits.account_id
where visits.visitor_value is null or credited.click_value <> visits.visitor_value
