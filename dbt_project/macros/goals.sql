{# How far a goal is before or behind its pace, as a part of its whole way. Thresholds stand here. #}
{% macro status_of_goal(actual, expected, baseline, target) -%}
    case
            when {{ actual }} is null then 'unknown'
            when ({{ actual }} - {{ expected }}) / ({{ target }} - {{ baseline }}) >= 0.05
                then 'ahead'
            when ({{ actual }} - {{ expected }}) / ({{ target }} - {{ baseline }}) >= -0.05
                then 'on track'
            when ({{ actual }} - {{ expected }}) / ({{ target }} - {{ baseline }}) >= -0.20
                then 'behind'
            else 'off'
        end
{%- endmacro %}
