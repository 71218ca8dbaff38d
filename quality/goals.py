"""What must hold of metrics, goals and initiatives before readers may see them.

Holds the rules that need more than one mart: metrics are what the other marts say, goals are what
the metrics say, and what an initiative was once found to have done stays as it was told. What one
row can tell is tested by dbt, beside the mart.
"""

import duckdb

from quality.ledger import AS_OF_DAY, AS_OF_END
from quality.suite import Suite, no_rows, rows_due

# Less than half a cent apart is the same to the cent.
HALF_A_CENT = 0.005

# A metric that adds up over time, and the same total by another way through the models.
FLOWS = {
    "net_revenue": "select sum(economic_past_value) from main.customer_value_monthly",
    "ad_revenue": "select sum(billed_revenue) from main.visitor_value_daily",
    "registrations": f"select count(*) from main.customers where registered_at < {AS_OF_END}",
    "page_views": "select sum(page_views) from warehouse.intermediate.int_visitor_days "
    f"where day <= {AS_OF_DAY}",
    "visits": f"select count(*) from warehouse.intermediate.int_sessions where day <= {AS_OF_DAY}",
}
# A metric that is a level, and what it was at the end of every month, as (month, value).
STOCKS = {
    "mrr": "select month, end_mrr as value from main.mrr_monthly where plan = '(all plans)'",
    "paying_subscribers": "select month, paying_customers as value from main.mrr_monthly "
    "where plan = '(all plans)'",
}


def metrics(connection: duckdb.DuckDBPyConnection) -> Suite:
    """Metrics against the marts they summarise, and their periods against one another.

    Args:
        connection: The candidate, its marts in `main`, with the warehouse attached.
    """
    stated = connection.execute("select metric from main.metrics").fetchall()
    totals = [_totals_sql(metric) for (metric,) in stated if metric in {**FLOWS, **STOCKS}]
    connection.execute(
        "create or replace temp table gate_metric_totals as "
        + " union all ".join([*totals, *map(_periods_sql, ("week", "month", "quarter", "year"))])
    )
    checks = (
        rows_due(len(totals), "Every total is compared, or none is believed."),
        no_rows(
            "metrics_are_the_marts",
            "select metric || ': ' || in_metrics || ' in metric_values, ' || elsewhere || "
            "' elsewhere' from {batch} where what = 'total' "
            f"and abs(in_metrics - elsewhere) >= {HALF_A_CENT}",
            "A metric says what the marts say that it summarises.",
            expected="the same to the cent",
        ),
        no_rows(
            "periods_add_up",
            "select metric || ' by ' || what || ': ' || in_metrics || ', by day ' || elsewhere "
            "from {batch} where what <> 'total' "
            f"and abs(in_metrics - elsewhere) >= {HALF_A_CENT}",
            "What a metric adds up to is the same by day, week, month, quarter and year.",
            expected="the same to the cent",
        ),
    )
    return Suite("metrics", "select * from gate_metric_totals", checks, key=("metric", "what"))


def _totals_sql(metric: str) -> str:
    """A metric beside the same from elsewhere, as (what, metric, in_metrics, elsewhere)."""
    mine = f"from main.metric_values where metric = '{metric}' and segment_type = 'all'"
    if metric in FLOWS:
        return (
            f"select 'total' as what, '{metric}' as metric, "
            f"coalesce((select sum(numerator) {mine} and period = 'year'), 0)::double "
            f"as in_metrics, coalesce(({FLOWS[metric]}), 0)::double as elsewhere"
        )
    return (
        f"select 'total' as what, '{metric}' as metric, "
        "coalesce(sum(coalesce(monthly.numerator, 0) * weight), 0)::double as in_metrics, "
        "coalesce(sum(coalesce(elsewhere.value, 0) * weight), 0)::double as elsewhere "
        f"from (select * {mine} and period = 'month') as monthly "
        f"full join ({STOCKS[metric]}) as elsewhere on monthly.period_start = elsewhere.month, "
        # A sum of months would not show that two of them have changed places.
        "lateral (select year(coalesce(monthly.period_start, elsewhere.month)) * 12 "
        "+ month(coalesce(monthly.period_start, elsewhere.month)) - 24000 as weight)"
    )


def _periods_sql(period: str) -> str:
    """Every flow by that period beside the same by day, over all segments."""
    return f"""
        select
            '{period}' as what,
            metric,
            (sum(numerator) filter (where period = '{period}'))::double as in_metrics,
            (sum(numerator) filter (where period = 'day'))::double as elsewhere
        from main.metric_values
        where metric in (select metric from main.metrics where kind = 'flow' and grain = 'day')
        group by metric
    """


def goals(connection: duckdb.DuckDBPyConnection) -> Suite:
    """Every goal that began stands somewhere, and stands where its metric does.

    Args:
        connection: The candidate, its marts in `main`, with the warehouse attached.
    """
    connection.execute(f"create or replace temp table gate_goals as {_standing_sql()}")
    checks = (
        rows_due(0, "A publisher need not state goals."),
        no_rows(
            "every_begun_goal_has_progress",
            "select goal_id from {batch} where day is distinct from due_day",
            "A goal that has begun says on every day where it stands.",
        ),
        no_rows(
            "goals_are_the_metrics",
            "select goal_id || ': ' || coalesce(told::varchar, 'nothing') || ', its metric ' "
            "|| coalesce(measured::varchar, 'nothing') from {batch} "
            f"where abs(told - measured) >= {HALF_A_CENT} or (told is null) <> (measured is null)",
            "A goal stands where its metric does, for its segment and time; the sum or ratio of "
            "others where theirs do together.",
            expected="the same to the cent",
        ),
    )
    return Suite("goals", "select * from gate_goals", checks, key=("goal_id",))


def _standing_sql() -> str:
    """Each begun goal, where it is said to stand last, and its metric's published values then."""
    is_in_period = """
        case
            when metrics.kind = 'flow' then dated.day between goals.start_day and latest.day
            when metrics.kind = 'ratio' and metrics.grain = 'day'
                then dated.day between latest.day - (metrics.window_days::int - 1) and latest.day
            else dated.day <= latest.day
        end
    """
    return f"""
        with dated as (
            -- A month's value is that of its last day, or of the as-of day while it runs.
            select
                *,
                case
                    when period = 'month' then least(period_end, {AS_OF_DAY}) else period_start
                end as day
            from main.metric_values
        ),
        latest as (
            select goal_id, day, coalesce(so_far, numerator) as told
            from main.goal_progress
            -- Not max_by, which would pass over a day that tells nothing.
            qualify day = max(day) over (partition by goal_id)
        ),
        series as (
            select
                goals.goal_id,
                parts.part_id,
                metrics.kind = 'flow' or (metrics.kind = 'ratio' and metrics.grain = 'day')
                    as adds_up,
                case when metrics.kind = 'flow' and metrics.first_day <= latest.day then 0 end
                    as at_least,
                sum(dated.numerator) as total,
                max_by(dated.numerator, dated.day) as last
            from warehouse.landing.goals as goals
            inner join main.metrics as metrics on goals.metric = metrics.metric
            inner join warehouse.landing.goal_parts as parts on goals.goal_id = parts.goal_id
            inner join warehouse.landing.goals as part on parts.part_id = part.goal_id
            inner join latest on goals.goal_id = latest.goal_id
            left join dated
                on goals.metric = dated.metric
                and part.segment_type = dated.segment_type
                and part.segment = dated.segment
                and metrics.grain = dated.period
                and {is_in_period}
            group by goals.goal_id, parts.part_id, adds_up, at_least
        ),
        measured as (
            -- A flow that has begun and brought nothing is at 0; all else without values nowhere.
            select
                goal_id,
                sum(case when adds_up then coalesce(total, at_least) else last end) as measured
            from series
            group by goal_id
        )
        select
            goals.goal_id,
            least(goals.end_day, {AS_OF_DAY}) as due_day,
            latest.day,
            case when goals.metric is not null then latest.told end as told,
            measured.measured
        from warehouse.landing.goals as goals
        left join latest on goals.goal_id = latest.goal_id
        left join measured on goals.goal_id = measured.goal_id
        where goals.start_day <= {AS_OF_DAY}
    """


def initiatives(connection: duckdb.DuckDBPyConnection) -> Suite:
    """Every initiative was looked at, and what was told of it stays.

    Only what was told today of one that is still stated is told anew.

    Args:
        connection: The candidate, its marts in `main`, with the warehouse attached as
            `warehouse` and the last published version, if there is one, as `last`.
    """
    told = "initiative_id, as_of_day, effect, lower_bound, upper_bound, verdict, reason"
    # Without a version before, what is told now is compared with itself.
    published = connection.execute(
        "select coalesce(any_value(database_name), current_database()) from duckdb_tables() "
        "where database_name = 'last' and table_name = 'initiative_effects'"
    ).fetchone()
    before = f'"{published[0]}".main' if published else "main"
    connection.execute(
        "create or replace temp table gate_initiatives as "
        "select stated.initiative_id, true as is_due, count(effects.as_of_day) <> 1 as is_off "
        "from warehouse.landing.initiatives as stated "
        "left join main.initiative_effects as effects "
        "on stated.initiative_id = effects.initiative_id "
        f"and effects.as_of_day = {AS_OF_DAY} group by stated.initiative_id "
        "union all select initiative_id || ' of ' || as_of_day, false, true "
        f"from (select {told} from {before}.initiative_effects where as_of_day <> {AS_OF_DAY} "
        "or initiative_id not in (select initiative_id from warehouse.landing.initiatives) "
        f"except select {told} from main.initiative_effects)"
    )
    checks = (
        rows_due(0, "A publisher need not have initiatives."),
        no_rows(
            "every_initiative_is_told_of",
            "select initiative_id from {batch} where is_due and is_off",
            "An initiative that is stated has an effect, or the reason why none is shown.",
        ),
        no_rows(
            "what_was_told_stays",
            "select initiative_id from {batch} where not is_due and is_off",
            "What an initiative was found to have done is told later as it was told then: so the "
            "organisation learns.",
        ),
    )
    return Suite("initiatives", "select * from gate_initiatives", checks, key=("initiative_id",))
