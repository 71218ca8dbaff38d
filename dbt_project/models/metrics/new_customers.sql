with

counted as (

    select
        bought.day,
        customers.acquisition_channel as channel
    from {{ ref('int_first_purchases') }} as bought
    left join {{ ref('customers') }} as customers
        on bought.customer_id = customers.customer_id

),

final as (

    {{ by_segments(
        'counted',
        numerator='count(*)',
        segments=['channel']
    ) }}

)

select * from final
