{# The change of a customer's MRR, if his movement of the month is this one. #}
{% macro amount_of(movement) -%}
    cast(
            case when changed.movement = '{{ movement }}' then changed.change else 0 end
            as decimal(18, 4)
        )
{%- endmacro %}
