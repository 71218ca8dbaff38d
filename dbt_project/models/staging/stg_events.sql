{{
    config(
        materialized='incremental',
        incremental_strategy=rows_by_day(),
        pre_hook="{{ delete_days(days_around_pending(0, 0)) }}",
    )
}}

with

landed as (

    select * from {{ source('landing', 'events') }}

),

repeated as (

    select event_id
    from landed
    group by event_id
    having count(*) > 1

),

ranked as (

    -- Only what was delivered more than once is put in order: that is little.
    select
        landed.*,
        row_number() over (
            partition by event_id
            order by received_at nulls last, occurred_at, {{ contract_order('events') }}
        ) as delivery_rank
    from landed
    where event_id in (select event_id from repeated)

),

unique_events as (

    select
        day,
        {{ contract_columns('events') }}
    from landed
    where event_id not in (select event_id from repeated)

    union all

    select
        day,
        {{ contract_columns('events') }}
    from ranked
    where delivery_rank = 1

),

final as (

    select unique_events.*
    from unique_events
    {% if is_incremental() -%}
    -- A day rebuilt for another reason may hold a copy that lost to one of a day that
    -- is not: had the copy been new, that day would be rebuilt with it.
    left join {{ this }} as held on unique_events.event_id = held.event_id
    where held.event_id is null
    {%- endif %}

)

select * from final
