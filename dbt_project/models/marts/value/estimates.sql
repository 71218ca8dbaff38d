{# Every model in estimates/ that fits something; a new one is a name here. #}
{% set fits = ['fit_contractual', 'fit_purchases', 'fit_churn'] %}

with

final as (

    {% for fit in fits -%}
    select
        estimator,
        segment,
        sample,
        parameter,
        value,
        standard_error,
        lower_bound,
        upper_bound,
        n,
        method,
        reason
    from {{ ref(fit) }}
    {% if not loop.last -%}
    union all
    {% endif -%}
    {% endfor -%}

)

select * from final
