{# Every model in estimates/ that holds estimates against what came true. #}
{% set qualities = ['quality_churn', 'quality_contractual', 'quality_purchases'] %}

with

refresh as (

    select * from {{ source('run', 'refresh') }}

),

measured as (

    {% for quality in qualities -%}
    select
        estimator,
        segment,
        measure,
        value,
        naive_value,
        n,
        calibration_end,
        holdout_end,
        is_used,
        reason
    from {{ ref(quality) }}
    {% if not loop.last -%}
    union all
    {% endif -%}
    {% endfor -%}

),

final as (

    select
        refresh.as_of_day,
        measured.estimator,
        measured.segment,
        measured.measure,
        measured.value,
        measured.naive_value,
        measured.n,
        measured.calibration_end,
        measured.holdout_end,
        measured.is_used,
        measured.reason
    from measured
    cross join refresh

)

select * from final
