with

refresh as (

    select * from {{ source('run', 'refresh') }}

),

counted as (

    select
        {{ day_of_month('trials.cohort') }} as day,
        trials.plan,
        trials.acquisition_channel as channel,
        trials.converted_trials,
        trials.mature_trials
    from {{ ref('trial_conversion') }} as trials
    cross join refresh
    where trials.mature_trials > 0

),

final as (

    {{ by_segments(
        'counted',
        numerator='sum(converted_trials)',
        denominator='sum(mature_trials)',
        n='sum(mature_trials)',
        segments=['plan', 'channel']
    ) }}

)

select * from final
