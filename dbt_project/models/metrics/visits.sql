with

final as (

    {{ by_segments(
        ref('int_daily_visits'),
        numerator='sum(visits)',
        n='sum(visits)',
        segments=['channel', 'device']
    ) }}

)

select * from final
