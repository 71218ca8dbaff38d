{# The sum of an amount over the rows of a condition, unknown while one of them is. #}
{% macro sum_if_known(amount, condition='true') -%}
    case
            when
                count(*) filter (where {{ condition }})
                = count({{ amount }}) filter (where {{ condition }})
                then coalesce(sum({{ amount }}) filter (where {{ condition }}), 0)
        end
{%- endmacro %}
