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

summed as (

    select
        customer_id,
        count(*) as future_count,
        count(base) as known_count,
        min(method) as first_method,
        max(method) as last_method,
        cast(sum(low) as decimal(18, 4)) as low,
        cast(sum(base) as decimal(18, 4)) as base,
        cast(sum(high) as decimal(18, 4)) as high
    from futures
    group by customer_id

),

final as (

    -- Of two futures one that is unknown leaves the sum unknown.
    select
        customer_id,
        case
            when first_method = last_method then first_method
            else concat(first_method, ', ', last_method)
        end as method,
        case when known_count = future_count then low end as future_value_low,
        case when known_count = future_count then base end as future_value_base,
        case when known_count = future_count then high end as future_value_high
    from summed

)

select * from final
