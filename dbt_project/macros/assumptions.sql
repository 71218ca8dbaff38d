{# An assumption's low, base or high, as an aggregate over source('run', 'assumptions'). #}
{% macro assumed(assumption, bound) -%}
    max(case when assumption = '{{ assumption }}' then {{ bound }} end)
{%- endmacro %}
