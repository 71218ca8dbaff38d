with

refreshes as (

    select * from {{ source('run', 'refreshes') }}

),

final as (

    -- Of earlier refreshes; publishing adds the one under way.
    select
        refresh_id,
        started_at,
        finished_at,
        as_of_day,
        verdict,
        batch_count,
        landed_count,
        quarantined_count,
        reason
    from refreshes

)

select * from final
