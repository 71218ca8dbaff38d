{#
  Only periods that were complete in the version before can be restated: what was still running
  then has gone on. Nor what is not over by this refresh's as-of day, which may be an earlier one.
  A metric that readers had no value of is new to them, not restated.
#}
with

current_values as (

    select * from {{ ref('metric_values') }}

),

refresh as (

    select * from {{ source('run', 'refresh') }}

),

known as (

    select distinct metric from {{ source('run', 'published_metric_values') }}

),

published as (

    select published_values.*
    from {{ source('run', 'published_metric_values') }} as published_values
    inner join refresh on published_values.period_end <= refresh.as_of_day

),

previous as (

    select
        max(refresh_id) as refresh_id,
        max_by(as_of_day, refresh_id) as as_of_day
    from {{ source('run', 'published_refreshes') }}

),

feeds as (

    select * from {{ source('run', 'metric_feeds') }}

),

files as (

    select
        feed,
        feed || '/' || source_name as file_name,
        day
    from {{ source('run', 'unpublished_days') }}

),

comparable as (

    select
        current_values.metric,
        current_values.period,
        current_values.period_start,
        current_values.period_end,
        current_values.segment_type,
        current_values.segment,
        current_values.numerator,
        current_values.denominator,
        current_values.value
    from current_values
    inner join known on current_values.metric = known.metric
    inner join previous on current_values.period_end <= previous.as_of_day
    where current_values.is_complete

),

changed as (

    select
        coalesce(comparable.metric, published.metric) as metric,
        coalesce(comparable.period, published.period) as period,
        coalesce(comparable.period_start, published.period_start) as period_start,
        coalesce(comparable.period_end, published.period_end) as period_end,
        coalesce(comparable.segment_type, published.segment_type) as segment_type,
        coalesce(comparable.segment, published.segment) as segment,
        published.value as previous_value,
        comparable.value,
        published.numerator as previous_numerator,
        comparable.numerator,
        published.denominator as previous_denominator,
        comparable.denominator
    from comparable
    full outer join published
        on
            comparable.metric = published.metric
            and comparable.period = published.period
            and comparable.period_start = published.period_start
            and comparable.segment_type = published.segment_type
            and comparable.segment = published.segment
    where
        comparable.numerator is distinct from published.numerator
        or comparable.denominator is distinct from published.denominator

),

periods as (

    select distinct
        metric,
        period,
        period_start,
        period_end
    from changed

),

brought as (

    -- Files with rows of the period itself explain it; else those with rows of other
    -- days that its metric looks at, such as an attribution that came later.
    select
        periods.metric,
        periods.period,
        periods.period_start,
        coalesce(
            files.day between periods.period_start and periods.period_end, false
        ) as is_of_period,
        count(distinct files.file_name) as file_count,
        {{ listed('files.file_name') }} as files
    from periods
    inner join feeds on periods.metric = feeds.metric
    inner join files on feeds.feed = files.feed
    group by
        periods.metric,
        periods.period,
        periods.period_start,
        coalesce(
            files.day between periods.period_start and periods.period_end, false
        )

),

explained as (

    select
        metric,
        period,
        period_start,
        bool_or(is_of_period) as is_of_period,
        max_by(file_count, is_of_period) as file_count,
        max_by(files, is_of_period) as files
    from brought
    group by metric, period, period_start

),

restated as (

    select
        refresh.refresh_id,
        refresh.as_of_day,
        previous.refresh_id as previous_refresh_id,
        changed.metric,
        changed.period,
        changed.period_start,
        changed.period_end,
        changed.segment_type,
        changed.segment,
        changed.previous_value,
        changed.value,
        changed.value - changed.previous_value as change,
        changed.previous_numerator,
        changed.numerator,
        changed.previous_denominator,
        changed.denominator,
        case
            when explained.is_of_period then 'rows of the period'
            when explained.metric is not null then 'rows of other days'
            else 'rules or estimates'
        end as cause,
        coalesce(explained.file_count, 0) as file_count,
        explained.files
    from changed
    cross join refresh
    cross join previous
    left join explained
        on
            changed.metric = explained.metric
            and changed.period = explained.period
            and changed.period_start = explained.period_start

    union all

    select
        refresh_id,
        as_of_day,
        previous_refresh_id,
        metric,
        period,
        period_start,
        period_end,
        segment_type,
        segment,
        previous_value,
        value,
        change,
        previous_numerator,
        numerator,
        previous_denominator,
        denominator,
        cause,
        file_count,
        files
    from {{ source('run', 'published_restatements') }}

),

final as (

    -- A year of them: whoever compares with an older printout has the older version.
    select restated.*
    from restated
    inner join refresh
        on restated.as_of_day > {{ add_days('refresh.as_of_day', -366) }}

)

select * from final
