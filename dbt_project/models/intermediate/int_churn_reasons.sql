{#
  What a covariate adds to a subscriber's log-odds against the average subscriber: coefficient *
  (his value - the mean). The means are of decimals, as sums of doubles depend on the order of the
  rows. A value and the covariate that says it is unknown are one reason together. What makes the
  odds less than a twentieth higher is no reason.
#}
with

risks as (

    select * from {{ ref('int_churn_risks') }}

),

means as (

    select
        {%- for column in churn_columns() %}
        cast(sum(cast({{ column }} as decimal(18, 6))) as double) / count(*)
            as {{ column }},
        {%- endfor %}
        cast(sum(cast(plan_log_odds as decimal(18, 6))) as double) / count(*)
            as plan_log_odds
    from risks

),

pushes as (

    select
        risks.customer_id,
        'plan_log_odds' as covariate,
        risks.plan_log_odds_coefficient * (risks.plan_log_odds - means.plan_log_odds)
            as push,
        'a plan that loses more subscribers than others' as reason
    from risks
    cross join means

    {% for covariate in churn_covariates() %}
    union all

    select
        risks.customer_id,
        '{{ covariate.name }}' as covariate,
        risks.{{ covariate.name }}_coefficient
        * (risks.{{ covariate.name }} - means.{{ covariate.name }})
        {%- if covariate.unknown %}
        + risks.{{ covariate.unknown }}_coefficient
        * (risks.{{ covariate.unknown }} - means.{{ covariate.unknown }})
        {%- endif %} as push,
        case
            {%- if covariate.unknown %}
            when risks.{{ covariate.unknown }} = 1 then '{{ covariate.nothing }}'
            -- The mean of those of whom it is known.
            when
                risks.{{ covariate.name }} * (1 - means.{{ covariate.unknown }})
                > means.{{ covariate.name }}
                then '{{ covariate.above }}'
            {%- else %}
            when risks.{{ covariate.name }} > means.{{ covariate.name }}
                then '{{ covariate.above }}'
            {%- endif %}
            else '{{ covariate.below }}'
        end as reason
    from risks
    cross join means
    {% endfor %}

),

ranked as (

    select
        customer_id,
        covariate,
        round(push, 6) as push,
        reason,
        row_number() over (
            partition by customer_id order by round(push, 6) desc, covariate
        ) as reason_rank
    from pushes
    where round(push, 6) >= 0.05

),

final as (

    select
        customer_id,
        reason_rank,
        covariate,
        push,
        reason
    from ranked
    where reason_rank <= 3

)

select * from final
