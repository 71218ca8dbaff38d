{# The days at hand and those around them: from `before` (negative) to `after` days away. At hand
   are all pending days, or a part of them (days_at_a_time). #}
{% macro days_at_hand(before, after) -%}
    {%- for away in range(before, after + 1) -%}
    select {{ add_days('day', away) }} as day from {{ source('run', 'days_at_hand') }}
    {{- ' union ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}
