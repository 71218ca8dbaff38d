with

days as (

    select * from {{ ref('int_metric_days') }}

),

stated as (

    select * from {{ source('run', 'metrics') }}

),

refresh as (

    select * from {{ source('run', 'refresh') }}

),

periods as (

    {% for period in ['day', 'week', 'month', 'quarter', 'year'] -%}
    select
        metric,
        '{{ period }}' as period,
        cast(date_trunc('{{ period }}', day) as date) as period_start,
        day,
        segment_type,
        segment,
        numerator,
        denominator,
        n
    from days
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

summed as (

    select
        metric,
        period,
        period_start,
        segment_type,
        segment,
        sum(numerator) as numerator,
        sum(denominator) as denominator,
        sum(n) as n,
        max_by(numerator, day) as last_numerator,
        max_by(n, day) as last_n
    from periods
    group by metric, period, period_start, segment_type, segment

),

with_ends as (

    select
        *,
        {{ add_days(
            "case period"
            ~ " when 'day' then " ~ add_days('period_start', 1)
            ~ " when 'week' then " ~ add_days('period_start', 7)
            ~ " when 'month' then " ~ add_months('period_start', 1)
            ~ " when 'quarter' then " ~ add_months('period_start', 3)
            ~ " else " ~ add_months('period_start', 12) ~ " end",
            -1
        ) }} as period_end
    from summed

),

valued as (

    select
        with_ends.metric,
        with_ends.period,
        with_ends.period_start,
        with_ends.period_end,
        with_ends.segment_type,
        with_ends.segment,
        case
            when stated.kind = 'stock' then with_ends.last_numerator
            else with_ends.numerator
        end as numerator,
        case when stated.kind = 'ratio' then with_ends.denominator end as denominator,
        case
            when stated.kind = 'stock' then with_ends.last_n else with_ends.n
        end as n,
        stated.kind,
        stated.minimum_n,
        with_ends.period_end <= refresh.as_of_day as is_complete
    from with_ends
    cross join refresh
    inner join stated on with_ends.metric = stated.metric
    -- What is known by the month has no day and no week.
    where stated.grain = 'day' or with_ends.period not in ('day', 'week')

),

final as (

    select
        metric,
        period,
        period_start,
        period_end,
        segment_type,
        segment,
        cast(numerator as decimal(28, 6)) as numerator,
        cast(denominator as decimal(28, 6)) as denominator,
        cast(n as bigint) as n,
        case
            when kind = 'ratio'
                then cast(numerator as double)
                    / nullif(cast(denominator as double), 0)
            else cast(numerator as double)
        end as value,
        n >= minimum_n as is_enough,
        is_complete
    from valued

)

select * from final
