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

measured as (

    select
        page_speed.visitor_id,
        {{ local_day('page_speed.measured_at', 'refresh.time_zone') }} as day,
        -- Poor by definitions: "Page speed".
        page_speed.lcp_ms > 4000 as is_slow
    from {{ ref('stg_page_speed') }} as page_speed
    cross join refresh
    where
        page_speed.lcp_ms is not null
        and page_speed.measured_at < refresh.as_of_end_at

),

by_day as (

    select
        owners.customer_id,
        owners.owned_from_day,
        owners.shared_from_day,
        measured.day,
        count(*) as view_count,
        count(*) filter (where measured.is_slow) as slow_count
    from measured
    inner join owners on measured.visitor_id = owners.visitor_id
    group by
        owners.customer_id,
        owners.owned_from_day,
        owners.shared_from_day,
        measured.day

),

anchors as (

    select distinct
        anchor,
        anchor_day
    from moments

),

numbered as (

    select
        by_day.*,
        anchors.anchor,
        cast(
            floor({{ days_between('by_day.day', 'anchors.anchor_day') }} / 28.0)
            as integer
        ) as number
    from by_day
    cross join anchors

),

final as (

    select
        moments.anchor,
        moments.number,
        numbered.customer_id,
        cast(sum(numbered.view_count) as bigint) as view_count,
        cast(sum(numbered.slow_count) as bigint) as slow_count
    from numbered
    inner join moments
        on numbered.anchor = moments.anchor and numbered.number = moments.number
    where
        numbered.owned_from_day <= moments.moment_day
        and (
            numbered.shared_from_day is null
            or numbered.shared_from_day > moments.moment_day
        )
    group by moments.anchor, moments.number, numbered.customer_id

)

select * from final
