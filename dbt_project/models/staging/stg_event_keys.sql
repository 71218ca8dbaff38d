{{
    config(
        materialized='incremental',
        incremental_strategy=rows_by_day(),
        pre_hook="{{ delete_days(days_around_pending(0, 0)) }}",
    )
}}

with

landed as (

    -- Of the pending days.
    select * from {{ source('landing', 'events') }}

),

final as (

    -- Eight bytes an event: looking for repeats in all of history stays cheap.
    select
        day,
        {{ hash_of('event_id') }} as event_key
    from landed

)

select * from final
