{# What a paid period of a subscription brings, and when. #}

{# Net recurring price by the month in whole cents, a half cent up (definitions: "MRR"). In
   integers, since 99.90 a year is 8.325 a month, which no double holds. #}
{% macro monthly_price(amount, billing_period) -%}
    {%- set months -%}
        case {{ billing_period }} when 'month' then 1 when 'quarter' then 3 else 12 end
    {%- endset -%}
    cast(
        floor(
            cast(
                2 * cast({{ amount }} * 10000 as bigint)
                * case when {{ billing_period }} = 'week' then 52 else 1 end
                + 100 * {{ months }} as double
            )
            / (200 * {{ months }})
        ) / 100 as decimal(18, 4)
    )
{%- endmacro %}

{# Whether a period of status active or past_due is paid at an instant: it covers the instant, and
   is not unpaid beyond the grace. #}
{% macro is_paid_at(period, instant, grace_days) -%}
    {{ period }}.started_at < {{ instant }}
    and ({{ period }}.ended_at is null or {{ period }}.ended_at >= {{ instant }})
    and (
        {{ period }}.status = 'active'
        or {{ seconds_between(period ~ '.started_at', instant) }}
        <= {{ grace_days }} * 86400
    )
{%- endmacro %}
