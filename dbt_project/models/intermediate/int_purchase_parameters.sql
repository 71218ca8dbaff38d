with

fits as (

    select * from {{ ref('fit_purchases') }}

),

quality as (

    select * from {{ ref('quality_purchases') }}

),

proven as (

    select distinct estimator
    from quality
    where is_used

),

current_fits as (

    select
        method,
        parameter,
        value,
        replace(estimator, '_naive', '') as estimator,
        estimator like '%_naive' as is_naive
    from fits
    where sample = 'current'

),

used as (

    -- An estimate's own fit, or the naive one where that did better on the hold-out, or
    -- where there was none.
    select
        current_fits.estimator,
        current_fits.method,
        current_fits.parameter,
        current_fits.value
    from current_fits
    left join proven on current_fits.estimator = proven.estimator
    where current_fits.is_naive = (proven.estimator is null)

),

final as (

    select
        max(method) filter (where estimator = 'purchases') as purchases_method,
        max(value) filter (where parameter = 'r') as r,
        max(value) filter (where parameter = 'alpha') as alpha,
        max(value) filter (where parameter = 'a') as a,
        max(value) filter (where parameter = 'b') as b,
        max(value) filter (where parameter = 'rate') as rate,
        max(value) filter (where parameter = 'weeks') as weeks,
        max(method) filter (where estimator = 'purchase_mean_value')
            as mean_value_method,
        max(value) filter (where parameter = 'p') as p,
        max(value) filter (where parameter = 'q') as q,
        max(value) filter (where parameter = 'gamma') as gamma,
        max(value) filter (where parameter = 'mean') as mean
    from used

)

select * from final
