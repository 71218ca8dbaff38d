{# A model's schema is its folder's, as it stands: there is one warehouse per home. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ custom_schema_name or target.schema }}
{%- endmacro %}
