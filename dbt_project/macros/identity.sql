{# Whose something is that a visitor did (definitions): the account's that was
   logged in, else that of the one account its visitor is known by. `account_visitors` is
   int_account_visitors, joined by visitor. #}
{% macro account_of(seen) -%}
    coalesce({{ seen }}.account_id, account_visitors.account_id)
{%- endmacro %}

{# The same, else the visitor's own: every visitor is some customer. By their keys, or as `by`
   says by their ids. #}
{% macro customer_of(seen, by='key') -%}
    coalesce(
            {{ seen }}.account_{{ by }},
            account_visitors.account_{{ by }},
            {{ seen }}.visitor_{{ by }}
        )
{%- endmacro %}
