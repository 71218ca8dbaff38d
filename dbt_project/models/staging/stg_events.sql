with

landed as (

    select * from {{ source('run', 'nearby_events') }}

),

repeats as (

    select * from {{ ref('stg_event_repeats') }}

),

repeated as (

    select event_id as repeated_id from repeats

),

final as (

    -- A join and not `not in`: DuckDB 2.0 never ends a `limit` over a union with that.
    select
        landed.day,
        {{ contract_columns('events', 'landed') }}
    from landed
    left join repeated on landed.event_id = repeated.repeated_id
    where repeated.repeated_id is null

    union all

    select
        day,
        {{ contract_columns('events') }}
    from repeats

)

select * from final
