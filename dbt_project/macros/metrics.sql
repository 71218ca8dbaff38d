{# The day a month's figure stands at: its last, or the as-of day in the running month. #}
{% macro day_of_month(month) -%}
    least({{ add_days(add_months(month, 1), -1) }}, refresh.as_of_day)
{%- endmacro %}
