with

history as (

    select * from {{ ref('int_purchase_history') }}
    where sample = 'current'

),

curve as (

    select * from {{ ref('curve_purchases') }}

),

parameters as (

    select * from {{ ref('int_purchase_parameters') }}

),

margin as (

    select * from {{ source('run', 'assumptions') }}
    where assumption = 'purchase_margin'

),

odds as (

    -- The BG/NBD's odds of having stopped, a/(b+x-1) * ((alpha+T)/(alpha+t_x))^(r+x),
    -- as a logarithm: those of a heavy buyer gone silent are beyond any number.
    select
        history.customer_id,
        history.frequency,
        history.age_days,
        history.valued_repeat_days,
        history.repeat_value,
        case
            when parameters.purchases_method = 'bg_nbd' and history.frequency > 0
                then
                    ln(parameters.a / (parameters.b + history.frequency - 1))
                    + (parameters.r + history.frequency) * ln(
                        (parameters.alpha + cast(history.age_days as double) / 7)
                        / (parameters.alpha + cast(history.recency_days as double) / 7)
                    )
        end as log_odds
    from history
    cross join parameters

),

of_each as (

    select
        odds.customer_id,
        odds.frequency,
        odds.age_days,
        -- In this model nobody stops before a repeat purchase, and under a mean rate
        -- nobody at all.
        case
            when odds.log_odds is null then cast(1 as double)
            else 1 / (1 + exp(least(odds.log_odds, 700)))
        end as alive,
        -- The gamma-gamma's E[M | x, z] = p(gamma + x*z)/(p*x + q - 1), where x*z is
        -- what his repeat purchases add up to; else the mean of all.
        case
            when parameters.mean_value_method = 'gamma_gamma'
                then
                    parameters.p
                    * (parameters.gamma + cast(odds.repeat_value as double))
                    / (parameters.p * odds.valued_repeat_days + parameters.q - 1)
            else parameters.mean
        end as expected_mean_value
    from odds
    cross join parameters

),

final as (

    select
        of_each.customer_id,
        cast(
            round(
                margin.low * of_each.expected_mean_value
                * of_each.alive * curve.discounted_purchases_if_alive_low, 4
            ) as decimal(18, 4)
        ) as purchase_value_low,
        cast(
            round(
                margin.base * of_each.expected_mean_value
                * of_each.alive * curve.discounted_purchases_if_alive_base, 4
            ) as decimal(18, 4)
        ) as purchase_value_base,
        cast(
            round(
                margin.high * of_each.expected_mean_value
                * of_each.alive * curve.discounted_purchases_if_alive_high, 4
            ) as decimal(18, 4)
        ) as purchase_value_high,
        of_each.alive * curve.expected_purchases_if_alive as expected_purchases,
        of_each.expected_mean_value,
        case
            when parameters.purchases_method = 'bg_nbd' then of_each.alive
        end as alive_probability,
        concat(parameters.purchases_method, '+', parameters.mean_value_method) as method
    from of_each
    inner join curve
        on of_each.frequency = curve.frequency and of_each.age_days = curve.age_days
    cross join parameters
    cross join margin

)

select * from final
