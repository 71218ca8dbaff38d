{#
  Of an event delivered more than once, the delivery that counts: the first received. All others
  are left out of stg_events. Keys are digests: an event that shares one with another event is
  only looked at in vain.
#}
{{
    config(
        materialized=kept_by_key(),
        incremental_strategy='delete+insert',
        unique_key='event_id',
    )
}}

with

repeated as (

    -- The keys are named where they are read: once for all three, DuckDB would copy
    -- them first.
    select event_key
    from {{ ref('stg_event_keys') }}
    {% if is_incremental() -%}
    where
        event_key in (
            select event_key from {{ ref('stg_event_keys') }}
            where day in (select day from {{ source('run', 'pending_days') }})
        )
    {%- endif %}
    group by event_key
    having count(*) > 1

),

deliveries as (

    select
        day,
        {{ contract_columns('events') }}
    from {{ source('run', 'all_events') }}
    where
        {{ hash_of('event_id') }} in (select event_key from repeated)
    {% if is_incremental() -%}
    and day in (
        select day from {{ ref('stg_event_keys') }}
        where event_key in (select event_key from repeated)
    )
    {%- endif %}

),

ranked as (

    select
        *,
        row_number() over (
            partition by event_id
            order by received_at nulls last, occurred_at, {{ contract_order('events') }}
        ) as delivery_rank
    from deliveries

),

final as (

    select
        day,
        {{ contract_columns('events') }}
    from ranked
    where delivery_rank = 1

)

select * from final
