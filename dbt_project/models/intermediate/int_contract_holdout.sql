with

contracts as (

    select * from {{ ref('int_contracts') }}

),

calibration as (

    select * from {{ ref('int_calibration') }}

),

known as (

    select
        contracts.*,
        {{ whole_periods(
            'contracts.contract_day', 'calibration.calibration_end',
            'contracts.billing_period'
        ) }} as calibrated_periods
    from contracts
    inner join calibration on contracts.contract_day <= calibration.calibration_end
    where contracts.sample = 'current'

),

ahead as (

    -- What came due after the calibration end and so is in the current sample alone.
    -- Who left is asked for as long as the others are.
    select
        segment,
        billing_period,
        greatest(first_period, calibrated_periods + 1) as first_period,
        case when outcome = 'churned' then due_periods else last_period end
            as last_period,
        churned_period,
        coalesce(churned_period > due_periods, true) as has_survived
    from known

),

final as (

    select
        segment,
        billing_period,
        first_period,
        last_period,
        count(*) as contract_count,
        count(*) filter (where has_survived) as survived
    from ahead
    where
        first_period <= last_period
        and coalesce(churned_period >= first_period, true)
    group by segment, billing_period, first_period, last_period

)

select * from final
