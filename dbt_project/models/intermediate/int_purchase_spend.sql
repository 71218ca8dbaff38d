with

history as (

    select * from {{ ref('int_purchase_history') }}

),

held_out as (

    select
        past.sample,
        past.valued_repeat_days,
        past.repeat_value,
        past.first_value,
        later.valued_repeat_days - past.valued_repeat_days as held_out_days,
        later.repeat_value - past.repeat_value as held_out_value
    from history as past
    left join history as later
        on
            past.customer_id = later.customer_id
            and past.sample = 'calibration'
            and later.sample = 'current'

),

final as (

    select
        sample,
        valued_repeat_days,
        repeat_value,
        held_out_days,
        held_out_value,
        cast(count(*) as bigint) as customers,
        cast(count(first_value) as bigint) as first_days,
        cast(coalesce(sum(first_value), 0) as decimal(38, 4)) as first_value
    from held_out
    group by
        sample,
        valued_repeat_days,
        repeat_value,
        held_out_days,
        held_out_value

)

select * from final
