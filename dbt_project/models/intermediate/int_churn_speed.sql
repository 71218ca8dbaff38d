with

moments as (

    select * from {{ ref('int_churn_moments') }}

),

owners as (

    select * from {{ ref('int_visitor_owners') }}

),

refresh as (

    select * from {{ source('run', 'refresh') }}

),

subscribers as (

    select * from {{ ref('int_churn_subscribers') }}

),

measured as (

    select
        subscribers.subscriber,
        subscribers.is_teacher,
        owners.owned_from_day,
        owners.shared_from_day,
        {{ local_day('page_speed.measured_at', 'refresh.time_zone') }} as day,
        -- Poor by definitions: "Page speed".
        page_speed.lcp_ms > 4000 as is_slow
    from {{ ref('stg_page_speed') }} as page_speed
    inner join owners on page_speed.visitor_id = owners.visitor_id
    inner join subscribers on owners.customer_key = subscribers.customer_key
    cross join refresh
    where
        page_speed.lcp_ms is not null
        and page_speed.measured_at < refresh.as_of_end_at

),

anchors as (

    select distinct
        anchor,
        anchor_day
    from moments

),

numbered as (

    select
        measured.*,
        anchors.anchor,
        cast(
            floor({{ days_between('measured.day', 'anchors.anchor_day') }} / 28.0)
            as integer
        ) as number
    from measured
    cross join anchors

),

final as (

    select
        moments.anchor,
        moments.number,
        numbered.subscriber,
        count(*) as view_count,
        count(*) filter (where numbered.is_slow) as slow_count
    from numbered
    inner join moments
        on numbered.anchor = moments.anchor and numbered.number = moments.number
    where
        (numbered.is_teacher or moments.sample = 'scoring')
        and numbered.owned_from_day <= moments.moment_day
        and (
            numbered.shared_from_day is null
            or numbered.shared_from_day > moments.moment_day
        )
    group by moments.anchor, moments.number, numbered.subscriber

)

select * from final
