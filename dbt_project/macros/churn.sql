{#
  The covariates of the churn score, each with the words that a reader is told when it pushes a
  subscriber's risk up, being above or below the average subscriber's. `unknown` is the covariate
  that says 1 where there is no value; `nothing` the words for that. Their meaning, and the order
  in which they are taken when few have left, is int_churn_examples'.
#}
{% macro churn_covariates() -%}
    {{ return([
        {
            'name': 'is_inactive',
            'above': 'no visit in the last 28 days',
            'below': 'a visit in the last 28 days',
        },
        {
            'name': 'tenure',
            'above': 'a subscriber for a long time',
            'below': 'a subscriber for a short time',
        },
        {
            'name': 'has_failed_payment',
            'above': 'a payment failed in the last 84 days',
            'below': 'no payment failed in the last 84 days',
        },
        {
            'name': 'active_days',
            'above': 'active on more days than others',
            'below': 'active on fewer days than others',
        },
        {
            'name': 'active_days_change',
            'above': 'active days rising more than for others',
            'below': 'active days falling, or rising less than for others',
        },
        {
            'name': 'billing_months',
            'above': 'billed for a longer period than others',
            'below': 'billed for a shorter period than others',
        },
        {
            'name': 'price',
            'above': 'a higher price than others',
            'below': 'a lower price than others',
        },
        {
            'name': 'is_payment_missing',
            'above': 'an expected payment is missing',
            'below': 'no payment is missing',
        },
        {
            'name': 'engaged_minutes',
            'above': 'reads longer than others',
            'below': 'reads less than others',
        },
        {
            'name': 'slow_share',
            'above': 'more slow pages than others',
            'below': 'fewer slow pages than others',
            'unknown': 'is_speed_unknown',
            'nothing': 'no page speed measured',
        },
        {
            'name': 'satisfaction',
            'above': 'more satisfied than others',
            'below': 'less satisfied than others',
            'unknown': 'is_satisfaction_unknown',
            'nothing': 'no survey answered',
        },
    ]) }}
{%- endmacro %}

{# The names of all columns that the score multiplies, in the order of int_churn_examples. #}
{% macro churn_columns() -%}
    {%- set columns = [] -%}
    {%- for covariate in churn_covariates() -%}
        {%- do columns.append(covariate.unknown) if covariate.unknown -%}
        {%- do columns.append(covariate.name) -%}
    {%- endfor -%}
    {{ return(columns) }}
{%- endmacro %}

{# The probability of log-odds, short of 0 and 1; unknown log-odds, which least and greatest
   would pass over, leave it unknown. #}
{% macro probability_of(log_odds) -%}
    case
            when {{ log_odds }} is not null
                then round(
                        1 / (1 + exp(-greatest(least({{ log_odds }}, 13.8), -13.8))), 6
                    )
        end
{%- endmacro %}
