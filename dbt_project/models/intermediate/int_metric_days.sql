{#
  Every metric of models/metrics in one table: a file there is a metric here, nothing else to do.
  Their names come from the environment, as the files cannot be listed from here
  (orchestration/metrics.py does).
#}
{%- set names = env_var('ARVO_METRICS').split() -%}

with

refresh as (

    select * from {{ source('run', 'refresh') }}

),

united as (

    {% for name in names -%}
    select
        '{{ name }}' as metric,
        day,
        segment_type,
        segment,
        cast(numerator as decimal(28, 6)) as numerator,
        cast(denominator as decimal(28, 6)) as denominator,
        cast(n as bigint) as n
    from {{ ref(name) }}
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

final as (

    select
        united.metric,
        united.day,
        united.segment_type,
        coalesce(united.segment, '(unknown)') as segment,
        united.numerator,
        united.denominator,
        united.n
    from united
    inner join refresh on united.day <= refresh.as_of_day
    where united.numerator is not null

)

select * from final
