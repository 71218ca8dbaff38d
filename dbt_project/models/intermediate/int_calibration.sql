with

refresh as (

    select * from {{ source('run', 'refresh') }}

),

chosen as (

    -- A stated day that is not yet over on the as-of day would leave nothing to hold
    -- out: a refresh as of an earlier day goes by the rule.
    select
        as_of_day,
        time_zone,
        case
            when calibration_end < as_of_day then calibration_end
            else {{ add_days('as_of_day', -91) }}
        end as calibration_end
    from refresh

),

final as (

    select
        calibration_end,
        {{ start_of_day(add_days('calibration_end', 1), 'time_zone') }}
            as calibration_end_at,
        as_of_day as holdout_end
    from chosen

)

select * from final
