with

final as (

    {{ by_segments(
        ref('identity_coverage'),
        numerator='sum(identified_page_views)',
        denominator='sum(page_views)',
        n='sum(page_views)',
        segments=['device']
    ) }}

)

select * from final
