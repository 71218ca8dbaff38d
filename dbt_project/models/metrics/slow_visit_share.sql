with

measured as (

    select
        {{ local_day('page_speed.measured_at', 'refresh.time_zone') }} as day,
        page_speed.device,
        page_speed.lcp_ms
    from {{ ref('stg_page_speed') }} as page_speed
    inner join {{ source('run', 'refresh') }} as refresh
        on page_speed.measured_at < refresh.as_of_end_at
    where page_speed.lcp_ms is not null

),

counted as (

    select
        day,
        device,
        case when lcp_ms > 4000 then 1 else 0 end as is_slow
    from measured

),

final as (

    {{ by_segments(
        'counted',
        numerator='sum(is_slow)',
        denominator='count(*)',
        segments=['device']
    ) }}

)

select * from final
