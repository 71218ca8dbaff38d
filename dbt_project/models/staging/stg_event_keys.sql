{{
    config(
        materialized=days_at_a_time(),
        incremental_strategy='insert_overwrite',
        meta={'rewrites': [0, 0]},
    )
}}

with

landed as (

    -- Of the pending days.
    select * from {{ source('landing', 'events') }}
    where day in ({{ days_at_hand(0, 0) }})

),

final as (

    -- Eight bytes an event: looking for repeats in all of history stays cheap.
    select
        day,
        {{ hash_of('event_id') }} as event_key
    from landed

)

select * from final
