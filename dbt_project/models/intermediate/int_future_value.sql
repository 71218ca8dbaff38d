{# Models that say what a customer will yet bring, and what their columns begin with. #}
{% set futures = {
    'int_contractual_value': 'contractual_value',
    'int_purchase_value': 'purchase_value',
} %}

with

futures as (

    {% for model, name in futures.items() -%}
    select
        customer_id,
        method,
        {{ name }}_low as low,
        {{ name }}_base as base,
        {{ name }}_high as high
    from {{ ref(model) }}

    {% if not loop.last -%}
    union all

    {% endif -%}
    {% endfor %}
),

final as (

    -- One who may come back in two ways is worth what both bring, if both are known.
    select
        customer_id,
        case
            when min(method) = max(method) then min(method)
            else concat(min(method), ', ', max(method))
        end as method,
        cast({{ sum_if_known('low') }} as decimal(18, 4)) as future_value_low,
        cast({{ sum_if_known('base') }} as decimal(18, 4)) as future_value_base,
        cast({{ sum_if_known('high') }} as decimal(18, 4)) as future_value_high
    from futures
    group by customer_id

)

select * from final
