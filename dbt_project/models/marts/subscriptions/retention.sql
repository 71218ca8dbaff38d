with

curves as (

    select * from {{ ref('curve_retention') }}

),

final as (

    select
        cohort,
        plan,
        billing_period,
        tenure,
        at_risk,
        churned,
        cast(churned as double) / nullif(at_risk, 0) as churn_rate,
        entry_tenure,
        survival,
        standard_error,
        lower_bound,
        upper_bound,
        projected_survival,
        method
    from curves

)

select * from final
