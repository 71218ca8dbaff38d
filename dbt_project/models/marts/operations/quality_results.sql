with

quality_results as (

    select * from {{ source('run', 'quality_results') }}

),

final as (

    -- Of earlier refreshes; publishing adds those of the one under way.
    select
        refresh_id,
        stage,
        suite,
        check_name,
        severity,
        is_passed,
        observed,
        expected,
        reason,
        offending_keys
    from quality_results

)

select * from final
