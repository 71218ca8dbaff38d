with

history as (

    select * from {{ ref('int_purchase_history') }}

),

held_out as (

    -- What the calibration sample did not see: whoever is in it is in the current one.
    select
        past.sample,
        past.frequency,
        past.recency_days,
        past.age_days,
        later.frequency - past.frequency as purchases
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
        frequency,
        recency_days,
        age_days,
        cast(count(*) as bigint) as customers,
        cast(sum(purchases) as bigint) as held_out_purchases,
        cast(sum(purchases * purchases) as bigint) as held_out_squares
    from held_out
    group by sample, frequency, recency_days, age_days

)

select * from final
