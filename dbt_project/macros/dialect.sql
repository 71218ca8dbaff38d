{#
  The only place that knows an engine. Each macro has one text for DuckDB (default__) and one for
  Spark (spark__). Instants are UTC timestamps without a zone; days and months are dates.
#}

{# Local day of an instant in a time zone (an expression). #}
{% macro local_day(instant, time_zone) -%}
    {{ adapter.dispatch('local_day')(instant, time_zone) }}
{%- endmacro %}
{% macro default__local_day(instant, time_zone) -%}
    cast(timezone({{ time_zone }}, timezone('UTC', {{ instant }})) as date)
{%- endmacro %}
{% macro spark__local_day(instant, time_zone) -%}
    to_date(from_utc_timestamp({{ instant }}, {{ time_zone }}))
{%- endmacro %}

{# Instant at which a local day begins. #}
{% macro start_of_day(day, time_zone) -%}
    {{ adapter.dispatch('start_of_day')(day, time_zone) }}
{%- endmacro %}
{% macro default__start_of_day(day, time_zone) -%}
    timezone('UTC', timezone({{ time_zone }}, cast({{ day }} as timestamp)))
{%- endmacro %}
{% macro spark__start_of_day(day, time_zone) -%}
    to_utc_timestamp(cast({{ day }} as timestamp), {{ time_zone }})
{%- endmacro %}

{# First day of the month of a day. #}
{% macro month_of(day) -%}
    cast(date_trunc('month', {{ day }}) as date)
{%- endmacro %}

{# A day so many days later; earlier when the number is negative. #}
{% macro add_days(day, number) -%}
    {{ adapter.dispatch('add_days')(day, number) }}
{%- endmacro %}
{% macro default__add_days(day, number) -%}
    cast({{ day }} + cast({{ number }} as integer) as date)
{%- endmacro %}
{% macro spark__add_days(day, number) -%}
    date_add({{ day }}, cast({{ number }} as int))
{%- endmacro %}

{# A day so many months later. #}
{% macro add_months(day, number) -%}
    {{ adapter.dispatch('add_months')(day, number) }}
{%- endmacro %}
{% macro default__add_months(day, number) -%}
    cast({{ day }} + to_months(cast({{ number }} as integer)) as date)
{%- endmacro %}
{% macro spark__add_months(day, number) -%}
    add_months({{ day }}, cast({{ number }} as int))
{%- endmacro %}

{# Whole days from one day to another. #}
{% macro days_between(earlier, later) -%}
    {{ adapter.dispatch('days_between')(earlier, later) }}
{%- endmacro %}
{% macro default__days_between(earlier, later) -%}
    cast({{ later }} - {{ earlier }} as bigint)
{%- endmacro %}
{% macro spark__days_between(earlier, later) -%}
    cast(datediff({{ later }}, {{ earlier }}) as bigint)
{%- endmacro %}

{# Seconds from one instant to another, to the microsecond. #}
{% macro seconds_between(earlier, later) -%}
    {{ adapter.dispatch('seconds_between')(earlier, later) }}
{%- endmacro %}
{% macro default__seconds_between(earlier, later) -%}
    ((epoch_us({{ later }}) - epoch_us({{ earlier }})) / 1000000.0)
{%- endmacro %}
{% macro spark__seconds_between(earlier, later) -%}
    (timestampdiff(microsecond, {{ earlier }}, {{ later }}) / 1000000.0)
{%- endmacro %}

{# One row per month from one month to another, both included; an item of a select list. #}
{% macro each_month(first_month, last_month) -%}
    {{ adapter.dispatch('each_month')(first_month, last_month) }}
{%- endmacro %}
{% macro default__each_month(first_month, last_month) -%}
    cast(
        unnest(
            generate_series(
                cast({{ first_month }} as timestamp),
                cast({{ last_month }} as timestamp),
                interval 1 month
            )
        ) as date
    )
{%- endmacro %}
{% macro spark__each_month(first_month, last_month) -%}
    explode(sequence({{ first_month }}, {{ last_month }}, interval 1 month))
{%- endmacro %}

{# The value at the earliest instant; of several at that instant the smallest, so that the order
   of rows does not matter. Nulls do not take part. #}
{% macro earliest(value, instant) -%}
    {{ adapter.dispatch('earliest')(value, instant) }}
{%- endmacro %}
{% macro default__earliest(value, instant) -%}
    arg_min({{ value }}, struct_pack(a := {{ instant }}, b := {{ value }})) filter (
        where {{ value }} is not null
    )
{%- endmacro %}
{% macro spark__earliest(value, instant) -%}
    min_by({{ value }}, struct({{ instant }}, {{ value }})) filter (
        where {{ value }} is not null
    )
{%- endmacro %}

{# The same of rows whose instants all differ: in half the time, as no two are compared by value. #}
{% macro first_of_ordered(value, instant) -%}
    {{ adapter.dispatch('first_of_ordered')(value, instant) }}
{%- endmacro %}
{% macro default__first_of_ordered(value, instant) -%}
    arg_min({{ value }}, {{ instant }}) filter (where {{ value }} is not null)
{%- endmacro %}
{% macro spark__first_of_ordered(value, instant) -%}
    min_by({{ value }}, {{ instant }}) filter (where {{ value }} is not null)
{%- endmacro %}

{# Continuous percentile of a number. #}
{% macro percentile(share, value) -%}
    percentile_cont({{ share }}) within group (order by cast({{ value }} as double))
{%- endmacro %}

{# How a table is kept of which only some days are made anew. On Spark the partitions of those days
   are overwritten. #}
{% macro days_at_a_time() -%}
    {{ adapter.dispatch('days_at_a_time')() }}
{%- endmacro %}
{% macro default__days_at_a_time() -%}days_at_a_time{%- endmacro %}
{% macro spark__days_at_a_time() -%}incremental{%- endmacro %}

{# How a model is kept whose new rows replace those of the same key. On Spark, whose plain tables
   cannot take rows out, it is made anew. #}
{% macro kept_by_key() -%}
    {{ adapter.dispatch('kept_by_key')() }}
{%- endmacro %}
{% macro default__kept_by_key() -%}incremental{%- endmacro %}
{% macro spark__kept_by_key() -%}table{%- endmacro %}

{# A digest of eight bytes; the same value has the same one within an engine. #}
{% macro hash_of(value) -%}
    {{ adapter.dispatch('hash_of')(value) }}
{%- endmacro %}
{% macro default__hash_of(value) -%}
    hash({{ value }})
{%- endmacro %}
{% macro spark__hash_of(value) -%}
    xxhash64({{ value }})
{%- endmacro %}

{# A number for a text, from 0 to below 2^52, which a double holds exactly. #}
{% macro number_of(value) -%}
    {{ adapter.dispatch('number_of')(value) }}
{%- endmacro %}
{% macro default__number_of(value) -%}
    cast(hash({{ value }}) % 4503599627370496 as bigint)
{%- endmacro %}
{% macro spark__number_of(value) -%}
    pmod(xxhash64({{ value }}), 4503599627370496)
{%- endmacro %}

{# A surrogate key: a number of 128 bits for a pseudonym, the same in every refresh, to group and join
   millions of rows by (decision 0019). An engine without such numbers keeps the text. #}
{% macro surrogate_key(pseudonym) -%}
    {{ adapter.dispatch('surrogate_key')(pseudonym) }}
{%- endmacro %}
{% macro default__surrogate_key(pseudonym) -%}
    md5_number({{ pseudonym }})
{%- endmacro %}
{% macro spark__surrogate_key(pseudonym) -%}
    {{ pseudonym }}
{%- endmacro %}

{# Number of the half hour an instant lies in, counted from 1970. #}
{% macro half_hour_of(instant) -%}
    {{ adapter.dispatch('half_hour_of')(instant) }}
{%- endmacro %}
{% macro default__half_hour_of(instant) -%}
    cast(floor(epoch_us({{ instant }}) / 1800000000.0) as bigint)
{%- endmacro %}
{% macro spark__half_hour_of(instant) -%}
    cast(floor(unix_micros({{ instant }}) / 1800000000.0) as bigint)
{%- endmacro %}

{# One row per whole number from one to another, both included; an item of a select list. #}
{% macro each_number(first_number, last_number) -%}
    {{ adapter.dispatch('each_number')(first_number, last_number) }}
{%- endmacro %}
{% macro default__each_number(first_number, last_number) -%}
    unnest(generate_series({{ first_number }}, {{ last_number }}))
{%- endmacro %}
{% macro spark__each_number(first_number, last_number) -%}
    explode(sequence({{ first_number }}, {{ last_number }}))
{%- endmacro %}

{# The distinct texts in their order, in one line. #}
{% macro listed(value) -%}
    {{ adapter.dispatch('listed')(value) }}
{%- endmacro %}
{% macro default__listed(value) -%}
    string_agg(distinct {{ value }}, ', ' order by {{ value }})
{%- endmacro %}
{% macro spark__listed(value) -%}
    array_join(sort_array(collect_set({{ value }})), ', ')
{%- endmacro %}
