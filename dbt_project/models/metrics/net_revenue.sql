with

counted as (

    select
        day,
        kind,
        amount
    from {{ ref('int_payments') }}
    where amount is not null

),

final as (

    {{ by_segments(
        'counted',
        numerator='sum(amount)',
        segments=['kind']
    ) }}

)

select * from final
