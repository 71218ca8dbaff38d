{# Billing periods of a contract, counted from the day it started. #}

{% macro period_months(billing_period) -%}
    case {{ billing_period }}
            when 'month' then 1 when 'quarter' then 3 when 'year' then 12
        end
{%- endmacro %}

{# The day on which so many billing periods from a day are over. #}
{% macro period_end(first_day, number, billing_period) -%}
    case
        when {{ billing_period }} = 'week'
            then {{ add_days(first_day, '7 * (' ~ number ~ ')') }}
        else {{ add_months(
            first_day,
            '(' ~ number ~ ') * (' ~ period_months(billing_period) ~ ')'
        ) }}
    end
{%- endmacro %}

{# Whole billing periods from one day to another; none while the other lies before it. #}
{% macro whole_periods(first_day, last_day, billing_period) -%}
    {%- set months -%}
        (year({{ last_day }}) - year({{ first_day }})) * 12
        + month({{ last_day }}) - month({{ first_day }})
    {%- endset -%}
    cast(
        greatest(
            case
                when {{ billing_period }} = 'week'
                    then floor({{ days_between(first_day, last_day) }} / 7.0)
                else floor(
                    (
                        {{ months }}
                        -- The month is not over yet.
                        - case
                            when {{ add_months(first_day, months) }} > {{ last_day }}
                                then 1
                            else 0
                        end
                    ) / cast({{ period_months(billing_period) }} as double)
                )
            end,
            0
        ) as bigint
    )
{%- endmacro %}
