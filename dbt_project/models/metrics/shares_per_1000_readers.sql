with

final as (

    {{ by_segments(
        ref('int_daily_traffic'),
        numerator='1000 * sum(share_count)',
        denominator='sum(readers)',
        n='sum(readers)',
        segments=['device']
    ) }}

)

select * from final
