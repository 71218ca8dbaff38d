{#
  A table made anew in one statement. dbt-duckdb's own way makes it under another name, renames the
  old one away and the new one into its place, and asks the catalogue in between: safe for readers
  that look on, of whom the private warehouse has none, and half of what a small model takes.
#}
{% materialization rebuilt, adapter='duckdb' %}
    {%- set existing = load_cached_relation(this) -%}
    {%- set target = this.incorporate(type='table') -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {% if existing is not none and not existing.is_table %}
        {% do adapter.drop_relation(existing) %}
    {% endif %}
    {% call statement('main') -%}
        {%- if config.get('contract').enforced %}{{ get_assert_columns_equivalent(sql) }}{% endif %}
        create or replace table {{ target }} as (
            {%- if config.get('contract').enforced %}
            {{ get_select_subquery(sql) }}
            {%- else %}
            {{ sql }}
            {%- endif %}
        );
    {%- endcall %}
    {% if config.persist_relation_docs() %}
        {% call statement('comments') -%}
            {{ duckdb__alter_relation_comment(target, model.description) }}
            {% for name, column in model.columns.items() -%}
            comment on column {{ target }}.{{ name }}
                is {{ duckdb_escape_comment(column.description) }};
            {% endfor %}
        {%- endcall %}
    {% endif %}

    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}

    {{ return({'relations': [target]}) }}
{% endmaterialization %}

{# For the same reason a view. #}
{% materialization view, adapter='duckdb' %}
    {%- set existing = load_cached_relation(this) -%}
    {%- set target = this.incorporate(type='view') -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {% if existing is not none and not existing.is_view %}
        {% do adapter.drop_relation(existing) %}
    {% endif %}
    {% call statement('main') -%}
        create or replace view {{ target }} as (
            {{ sql }}
        );
    {%- endcall %}

    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}

    {{ return({'relations': [target]}) }}
{% endmaterialization %}
