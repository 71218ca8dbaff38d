{#
  Models that say what a customer will yet bring, and what their columns begin with. With none
  there are no rows, and the future is unknown.
#}
{% set futures = {} %}

with

futures as (

    select
        cast(null as string) as customer_id,
        cast(null as decimal(18, 4)) as low,
        cast(null as decimal(18, 4)) as base,
        cast(null as decimal(18, 4)) as high
    where false

    {% for model, name in futures.items() -%}
    union all

    select
        customer_id,
        {{ name }}_low as low,
        {{ name }}_base as base,
        {{ name }}_high as high
    from {{ ref(model) }}

    {% endfor -%}

),

final as (

    -- One who may come back in two ways is worth what both bring, if both are known.
    select
        customer_id,
        cast({{ sum_if_known('low') }} as decimal(18, 4)) as future_value_low,
        cast({{ sum_if_known('base') }} as decimal(18, 4)) as future_value_base,
        cast({{ sum_if_known('high') }} as decimal(18, 4)) as future_value_high
    from futures
    group by customer_id

)

select * from final
