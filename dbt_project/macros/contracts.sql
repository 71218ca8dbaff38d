{# What the contracts of the feeds (models/staging/_feeds.yml) say, for the staging models. #}

{% macro contract(feed) -%}
    {{ return(graph.sources['source.arvo.landing.' ~ feed]) }}
{%- endmacro %}

{# The columns of a feed's contract, as a select list; of that relation, if one is named. #}
{% macro contract_columns(feed, relation=none) -%}
{%- if execute -%}
{%- for column in contract(feed).columns -%}
{{ relation ~ '.' if relation }}{{ column }}{{ ',\n        ' if not loop.last }}
{%- endfor -%}
{%- else -%}
*
{%- endif -%}
{%- endmacro %}

{# The columns of a feed's contract in an order that leaves no tie, nulls last. #}
{% macro contract_order(feed) -%}
{%- if execute -%}
{%- for column in contract(feed).columns -%}
{{ column }} nulls last{{ ', ' if not loop.last }}
{%- endfor -%}
{%- else -%}
1
{%- endif -%}
{%- endmacro %}

{# One row per key: the latest version, whatever order the batches arrived in. Most keys came only
   once, and sorting all that ever landed costs more every day: versions are compared of those keys
   alone whose digest came again. Landing is named three times rather than imported once: each
   then reads the columns and rows it needs. #}
{% macro latest_by_key(feed) -%}
{%- set landed = source('landing', feed) -%}
{%- set key = (contract(feed).config.meta.key if execute else [1]) | join(', ') -%}
with

digests as (

    select {{ hash_of(key) }} as digest from {{ landed }}

),

repeated as (

    select digest
    from digests
    group by digest
    having count(*) > 1

),

ranked as (

    select
        {{ contract_columns(feed) }},
        row_number() over (
            partition by {{ key }}
            order by
                updated_at desc nulls last,
                source_modified_at desc nulls last,
                source_name desc nulls last,
                source_row desc nulls last,
                {{ contract_order(feed) }}
        ) as version_rank
    from {{ landed }}
    where {{ hash_of(key) }} in (select digest from repeated)

),

final as (

    select
        {{ contract_columns(feed) }}
    from {{ landed }}
    where {{ hash_of(key) }} not in (select digest from repeated)

    union all

    select
        {{ contract_columns(feed) }}
    from ranked
    where version_rank = 1

)

select * from final
{%- endmacro %}
