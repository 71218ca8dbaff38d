with

final as (

    {{ by_segments(
        ref('visitor_value_daily'),
        numerator='sum(billed_revenue)',
        segments=['device', 'placement']
    ) }}

)

select * from final
