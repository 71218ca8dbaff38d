with

ad_revenue as (

    select * from {{ ref('stg_ad_revenue') }}

),

rates as (

    select * from {{ ref('int_monthly_rates') }}

),

final as (

    select
        ad_revenue.day,
        ad_revenue.placement,
        ad_revenue.device,
        ad_revenue.impressions,
        cast(
            round(cast(ad_revenue.revenue as double) * rates.rate, 4)
            as decimal(18, 4)
        ) as revenue
    from ad_revenue
    left join rates
        on
            ad_revenue.currency = rates.currency
            and {{ month_of('ad_revenue.day') }} = rates.month

)

select * from final
