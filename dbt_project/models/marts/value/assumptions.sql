with

assumptions as (

    select * from {{ source('run', 'assumptions') }}

),

final as (

    select
        assumption,
        low,
        base,
        high,
        unit,
        meaning,
        because,
        is_stated
    from assumptions

)

select * from final
