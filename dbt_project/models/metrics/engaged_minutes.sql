with

counted as (

    select
        day,
        device,
        engaged_seconds,
        page_views
    from {{ ref('int_daily_traffic') }}
    where engaged_seconds is not null

),

final as (

    {{ by_segments(
        'counted',
        numerator='sum(engaged_seconds) / 60',
        n='sum(page_views)',
        segments=['device']
    ) }}

)

select * from final
