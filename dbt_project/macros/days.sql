{# The days at hand and those around them: from `before` (negative) to `after` days away. At hand
   are all pending days, or a part of them (days_at_a_time). Of events no more are shown than three
   days around the pending ones (orchestration/warehouse.py). #}
{% macro days_at_hand(before, after) -%}
    {%- if before < -3 or after > 3 -%}
        {{ exceptions.raise_compiler_error('events are shown three days around, no more') }}
    {%- endif -%}
    {%- for away in range(before, after + 1) -%}
    select {{ add_days('day', away) }} as day from {{ source('run', 'days_at_hand') }}
    {{- ' union ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}
