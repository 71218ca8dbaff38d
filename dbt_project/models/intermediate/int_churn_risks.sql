{#
  Every active subscriber's log-odds as published: those of the score where the hold-out shows that
  it is better than the base rate of the plan, else that base rate, which is the score with a
  coefficient of 1 for the plan and 0 for all else.
#}
with

scores as (

    select * from {{ ref('int_churn_scores') }}
    where sample = 'scoring'

),

coefficients as (

    select
        {%- for column in churn_columns() %}
        coalesce(max(case when parameter = '{{ column }}' then value end), 0)
            as {{ column }},
        {%- endfor %}
        coalesce(max(case when parameter = 'plan_log_odds' then value end), 0)
            as plan_log_odds
    from {{ ref('fit_churn') }}
    where estimator = 'churn' and sample = 'current'

),

quality as (

    select
        bool_and(is_used) as is_used,
        max(reason) as reason
    from {{ ref('quality_churn') }}

),

final as (

    select
        scores.customer_id,
        scores.plan,
        scores.tenure_days,
        coalesce(quality.is_used, false) as is_scored,
        case
            when quality.is_used then scores.score_probability
            else scores.plan_probability
        end as probability,
        scores.plan_probability,
        case when quality.is_used then scores.score_method else scores.plan_method end
            as method,
        case
            when quality.is_used then scores.score_reason
            else coalesce(
                    quality.reason || '; ' || scores.plan_reason,
                    quality.reason,
                    scores.plan_reason
                )
        end as method_reason,
        {%- for column in churn_columns() %}
        scores.{{ column }},
        case when quality.is_used then coefficients.{{ column }} else 0 end
            as {{ column }}_coefficient,
        {%- endfor %}
        scores.plan_log_odds,
        case when quality.is_used then coefficients.plan_log_odds else 1 end
            as plan_log_odds_coefficient
    from scores
    cross join coefficients
    cross join quality

)

select * from final
