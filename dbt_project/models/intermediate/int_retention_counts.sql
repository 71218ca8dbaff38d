{# Every plan and all of them, every cohort and all of them. #}
with

renewals as (

    select * from {{ ref('int_renewals') }}

),

levels as (

    select
        cohort,
        plan,
        billing_period,
        period,
        at_risk,
        churned
    from renewals
    where sample = 'current'

    union all

    select
        cast(null as date) as cohort,
        plan,
        billing_period,
        period,
        at_risk,
        churned
    from renewals
    where sample = 'current'

    union all

    select
        cohort,
        '(all plans)' as plan,
        billing_period,
        period,
        at_risk,
        churned
    from renewals
    where sample = 'current'

    union all

    select
        cast(null as date) as cohort,
        '(all plans)' as plan,
        billing_period,
        period,
        at_risk,
        churned
    from renewals
    where sample = 'current'

),

final as (

    select
        cohort,
        plan,
        billing_period,
        plan || ' (' || billing_period || ')' as segment,
        period,
        cast(sum(at_risk) as bigint) as at_risk,
        cast(sum(churned) as bigint) as churned
    from levels
    group by cohort, plan, billing_period, period

)

select * from final
