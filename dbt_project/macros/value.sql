{# Small formulas of the value marts. #}

{# Share of the other rows of the same kind whose amount is smaller; null for an unknown one. #}
{% macro share_below(amount, kind) -%}
    case
        when {{ amount }} is not null
            then percent_rank() over (
                partition by {{ kind }}, {{ amount }} is null order by {{ amount }}
            )
    end
{%- endmacro %}

{# Mean of the amounts above nothing, in whole ten-thousandths; null when there is none. #}
{% macro mean_where_positive(amount) -%}
    cast(
        round(
            cast(sum({{ amount }}) filter (where {{ amount }} > 0) as double)
            / nullif(count(*) filter (where {{ amount }} > 0), 0),
            4
        ) as decimal(18, 4)
    )
{%- endmacro %}
