{#
  The score, from the coefficients of the mart `estimates` (estimator churn): log-odds = intercept
  + the sum of coefficient and covariate; probability = 1 / (1 + exp(-log-odds)). Beside it what
  the subscriber's plan alone would say (estimator churn_base_rate).
#}
with

examples as (

    select
        *,
        -- The hold-out is judged by what was fitted before it.
        case when sample = 'holdout' then 'calibration' else 'current' end as fitted_on
    from {{ ref('int_churn_examples') }}
    where sample in ('scoring', 'holdout')

),

fits as (

    select * from {{ ref('fit_churn') }}

),

coefficients as (

    select
        sample,
        max(case when parameter = 'intercept' then value end) as intercept,
        coalesce(max(case when parameter = 'plan_log_odds' then value end), 0)
            as plan_log_odds
        {%- for column in churn_columns() %},
        coalesce(max(case when parameter = '{{ column }}' then value end), 0)
            as {{ column }}
        {%- endfor %},
        max(method) as method,
        max(reason) as reason
    from fits
    where estimator = 'churn'
    group by sample

),

plans as (

    select
        sample,
        segment as plan,
        method,
        reason,
        value as log_odds
    from fits
    -- Without a parameter nothing is known, which the method then says.
    where
        estimator = 'churn_base_rate'
        and coalesce(parameter, 'intercept') = 'intercept'

),

with_plans as (

    select
        examples.*,
        coalesce(plans.log_odds, everybody.log_odds) as plan_log_odds,
        coalesce(plans.method, everybody.method) as plan_method,
        coalesce(plans.reason, everybody.reason) as plan_reason
    from examples
    left join plans
        on examples.fitted_on = plans.sample and examples.plan = plans.plan
    left join plans as everybody
        on examples.fitted_on = everybody.sample and everybody.plan = '(all)'

),

scored as (

    select
        with_plans.*,
        coefficients.method as score_method,
        coefficients.reason as score_reason,
        coefficients.intercept
        + coefficients.plan_log_odds * with_plans.plan_log_odds
        {%- for column in churn_columns() %}
        + coefficients.{{ column }} * with_plans.{{ column }}
        {%- endfor %} as score_log_odds
    from with_plans
    left join coefficients on with_plans.fitted_on = coefficients.sample

),

final as (

    -- Nobody is sure to stay or to leave.
    select
        *,
        {{ probability_of('score_log_odds') }} as score_probability,
        {{ probability_of('plan_log_odds') }} as plan_probability
    from scored

)

select * from final
