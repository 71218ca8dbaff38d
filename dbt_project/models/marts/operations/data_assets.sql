with

feeds as (

    select * from {{ source('run', 'feeds') }}

),

batches as (

    select * from {{ source('run', 'batches') }}

),

daily_rows as (

    select * from {{ source('run', 'daily_rows') }}

),

refresh as (

    select * from {{ source('run', 'refresh') }}

),

landed as (

    select
        feed,
        count(*) as batch_count,
        sum(landed_rows) as row_count,
        sum(quarantined_rows) as quarantined_count
    from batches
    group by feed

),

covered as (

    select
        daily_rows.feed,
        min(daily_rows.day) as first_day,
        max(daily_rows.day) as last_day,
        count(*) as days_covered
    from daily_rows
    inner join refresh on daily_rows.day <= refresh.as_of_day
    group by daily_rows.feed

),

final as (

    select
        feeds.feed,
        feeds.is_configured,
        case when feeds.is_configured then coalesce(landed.batch_count, 0) end
            as batch_count,
        cast(
            case
                when feeds.is_configured then coalesce(landed.row_count, 0)
            end as bigint
        )
            as row_count,
        covered.first_day,
        covered.last_day,
        covered.days_covered,
        {{ days_between('covered.first_day', 'covered.last_day') }} + 1
        - covered.days_covered as days_missing,
        {{ days_between('covered.last_day', 'refresh.as_of_day') }} as freshness_days,
        cast(
            case when feeds.is_configured then coalesce(landed.quarantined_count, 0) end
            as bigint
        ) as quarantined_count
    from feeds
    cross join refresh
    left join landed on feeds.feed = landed.feed
    left join covered on feeds.feed = covered.feed

)

select * from final
