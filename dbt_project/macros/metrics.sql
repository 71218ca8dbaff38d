{# What the files of models/metrics share. #}

{# The day a month's figure stands at: its last, or the as-of day in the running month. #}
{% macro day_of_month(month) -%}
    least({{ add_days(add_months(month, 1), -1) }}, refresh.as_of_day)
{%- endmacro %}

{# The months from that of a day to that of the as-of day; an item of a select list. A metric's
   months begin where its own feeds do: before, nothing is known of it. #}
{% macro months_since(day) -%}
    {{ each_month(month_of(day), month_of('refresh.as_of_day')) }}
{%- endmacro %}

{# The whole of every day, then each segment of it: a metric's rows. #}
{% macro by_segments(relation, numerator, denominator='null', n='count(*)', segments=()) -%}
    select
        day,
        'all' as segment_type,
        '(all)' as segment,
        {{ numerator }} as numerator,
        {{ denominator }} as denominator,
        {{ n }} as n
    from {{ relation }}
    group by day
    {%- for segment in segments %}

    union all

    select
        day,
        '{{ segment }}' as segment_type,
        {{ segment }} as segment,
        {{ numerator }} as numerator,
        {{ denominator }} as denominator,
        {{ n }} as n
    from {{ relation }}
    group by day, {{ segment }}
    {%- endfor %}
{%- endmacro %}

{# How recently, often and much a customer used the publication in 30 days, 0 to 100 (definitions,
   "RFV"). #}
{% macro rfv_score(active_days, page_views, page_views_cap, recency_days) -%}
    case
            when {{ active_days }} = 0 or {{ page_views }} = 0 then 0.0
            else round(
                    100.0
                    * sqrt({{ active_days }} / 30.0)
                    * sqrt(least({{ page_views }}, {{ page_views_cap }}) / {{ page_views_cap }})
                    * exp(-{{ recency_days }} / 14.0),
                    4
                )
        end
{%- endmacro %}
