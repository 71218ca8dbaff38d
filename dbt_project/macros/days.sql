{# The pending days and those around them: from `before` (negative) to `after` days away. #}
{% macro days_around_pending(before, after) -%}
    {%- for away in range(before, after + 1) -%}
    select {{ add_days('day', away) }} as day from {{ source('run', 'pending_days') }}
    {{- ' union ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}

{# The same around the days at hand: all pending ones, or a part of them (days_at_a_time). #}
{% macro days_at_hand(before, after) -%}
    {%- for away in range(before, after + 1) -%}
    select {{ add_days('day', away) }} as day from {{ source('run', 'days_at_hand') }}
    {{- ' union ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}
