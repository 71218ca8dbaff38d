with

refresh as (

    select * from {{ source('run', 'refresh') }}

),

goals as (

    select * from {{ ref('goals') }}
    where not is_gap

),

progress as (

    select * from {{ ref('goal_progress') }}

),

standing as (

    -- Goals that run on the as-of day.
    select
        goals.unit,
        goals.goal_id,
        goals.title,
        goals.measures,
        goals.position,
        progress.actual,
        progress.target,
        progress.expected,
        progress.forecast,
        progress.attainment,
        (progress.expected - progress.baseline)
        / (progress.target - progress.baseline) as expected_attainment,
        (progress.actual - progress.expected)
        / (progress.target - progress.baseline) as lead,
        progress.probability,
        progress.status
    from goals
    inner join refresh on true
    inner join progress
        on goals.goal_id = progress.goal_id and refresh.as_of_day = progress.day

),

ranked as (

    select
        *,
        row_number() over (
            partition by unit order by lead nulls last, position
        ) as place_from_behind,
        row_number() over (
            partition by unit order by lead desc nulls last, position
        ) as place_from_ahead
    from standing

),

told as (

    select
        unit,
        string_agg(
            title || ': ' || {{ shown_number('actual') }}
            || ' where the pace asks for ' || {{ shown_number('expected') }}
            || coalesce(
                ', heading for ' || {{ shown_number('forecast') }} || ' of ',
                ', no forecast yet, target '
            )
            || {{ shown_number('target') }} || ' (' || status || ')',
            '; '
            order by lead, position
        ) as behind
    from standing
    where status in ('behind', 'off')
    group by unit

),

done as (

    select
        initiatives.unit,
        count(*) as initiative_count,
        count(*) filter (where effects.verdict = 'shown') as shown_count,
        string_agg(
            initiatives.title || ': ' || case
                when effects.verdict = 'shown'
                    then effects.direction || ', ' || {{ shown_number('effect') }}
                        || ' ' || initiatives.outcome || ' a customer and period ('
                        || {{ shown_number('lower_bound') }} || ' to '
                        || {{ shown_number('upper_bound') }} || ')'
                else 'not shown, ' || effects.reason
            end,
            '; '
            order by initiatives.start_day, initiatives.initiative_id
        ) as initiatives
    from {{ ref('initiatives') }} as initiatives
    inner join {{ ref('initiative_effects') }} as effects
        on initiatives.initiative_id = effects.initiative_id and effects.is_latest
    where initiatives.state <> 'planned'
    group by initiatives.unit

),

summed as (

    select
        unit,
        count(*) as goal_count,
        count(*) filter (where status = 'ahead') as ahead_count,
        count(*) filter (where status = 'on track') as on_track_count,
        count(*) filter (where status = 'behind') as behind_count,
        count(*) filter (where status = 'off') as off_count,
        count(*) filter (where status = 'unknown') as unknown_count,
        count(*) filter (where measures = 'value') as value_goal_count,
        count(*) filter (where measures = 'volume') as volume_goal_count,
        count(*) filter (where probability >= 0.5) as likely_count,
        {{ percentile(0.5, 'attainment') }} as median_attainment,
        {{ percentile(0.5, 'expected_attainment') }} as median_expected_attainment,
        max(case when place_from_behind = 1 then title end) as furthest_behind,
        max(case when place_from_ahead = 1 then title end) as furthest_ahead
    from ranked
    group by unit

),

final as (

    select
        summed.unit,
        refresh.as_of_day,
        summed.goal_count,
        summed.ahead_count,
        summed.on_track_count,
        summed.behind_count,
        summed.off_count,
        summed.unknown_count,
        summed.value_goal_count,
        summed.volume_goal_count,
        summed.likely_count,
        cast(summed.median_attainment as double) as median_attainment,
        cast(summed.median_expected_attainment as double)
            as median_expected_attainment,
        summed.furthest_behind,
        summed.furthest_ahead,
        coalesce(done.initiative_count, 0) as initiative_count,
        coalesce(done.shown_count, 0) as shown_initiative_count,
        told.behind as why,
        done.initiatives as what_was_done
    from summed
    cross join refresh
    left join told on summed.unit = told.unit
    left join done on summed.unit = done.unit

)

select * from final
