with

final as (

    {{ by_segments(
        ref('int_daily_visits'),
        numerator='sum(logged_in_visits)',
        denominator='sum(visits)',
        n='sum(visits)',
        segments=['channel', 'device']
    ) }}

)

select * from final
