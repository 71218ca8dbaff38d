with

batches as (

    select * from {{ source('run', 'batches') }}

),

final as (

    select
        feed,
        batch_id,
        source_name,
        landed_rows as row_count,
        quarantined_rows as quarantined_count,
        first_day,
        last_day
    from batches

)

select * from final
