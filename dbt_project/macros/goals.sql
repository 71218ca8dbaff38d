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

{# A number as a sentence shows it: three decimals, of large ones none. #}
{% macro shown_number(value) -%}
    case
                when abs({{ value }}) >= 1000
                    then cast(cast(round({{ value }}) as bigint) as varchar)
                else cast(round({{ value }}, 3) as varchar)
            end
{%- endmacro %}

{# A value, or the end of its range that it lies beyond; an end that is null is open. #}
{% macro within(value, lowest, highest) -%}
    case
            when {{ value }} < {{ lowest }} then {{ lowest }}
            when {{ value }} > {{ highest }} then {{ highest }}
            else {{ value }}
        end
{%- endmacro %}
