{#
  A table of days of which only those at hand are made anew: taken out, and put in again. Pending
  days come in parts of bounded size (orchestration/warehouse.py), and each part is at hand for
  itself, so that building years of history needs no more memory than building some of their days.
  `meta.rewrites` says which days those at hand change: from so many before to so many after.
#}
{% materialization days_at_a_time, adapter='duckdb' %}
    {%- set existing = load_cached_relation(this) -%}
    {%- set target = this.incorporate(type='table') -%}
    {%- set before, after = config.get('meta')['rewrites'] -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {% if existing is none or not existing.is_table or should_full_refresh() %}
        {% if existing is not none and not existing.is_table %}
            {% do adapter.drop_relation(existing) %}
        {% endif %}
        {% call statement('empty') -%}
            create or replace table {{ target }} as ({{ sql }}) with no data;
        {%- endcall %}
    {% endif %}
    {% call statement('parts', fetch_result=True) -%}
        select distinct part from {{ source('run', 'pending_days') }} order by part
    {%- endcall %}
    {% for (part,) in load_result('parts')['data'] %}
        {% call statement('at_hand') -%}
            create or replace table {{ source('run', 'days_at_hand') }} as
            select day from {{ source('run', 'pending_days') }} where part = {{ part }};
        {%- endcall %}
        {% call statement('main') -%}
            delete from {{ target }} where day in ({{ days_at_hand(before, after) }});
            insert into {{ target }} by name ({{ sql }});
        {%- endcall %}
    {% else %}
        {% call statement('main') -%} select 1 {%- endcall %}
    {% endfor %}

    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}

    {{ return({'relations': [target]}) }}
{% endmaterialization %}
