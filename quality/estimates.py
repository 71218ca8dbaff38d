"""What must hold of the estimates of a refresh before readers may see them.

Holds the rules about estimates alone: that one in use is better than the naive one on its
hold-out, that every one is measured, and that what is said of the future can be true. Identities
and reconciliations are marts.py's.
"""

from collections.abc import Collection

import duckdb

from quality.suite import Suite, no_rows, rows_due

# Marts whose rows rest on an estimate: the estimator that estimate_quality must tell of.
MEASURED = {"churn_risk": "churn"}
# Survival curves: mart, what keeps the curves apart, what they run along, and their columns.
CURVES = (
    (
        "retention",
        ("cohort", "plan", "billing_period"),
        "tenure",
        ("survival", "projected_survival"),
    ),
)

# Measures of which less is better, and of which more is; those that come in pairs are told apart
# by their ends. A calibration slope has no better and no worse by itself.
LESS_IS_BETTER = ("brier", "repeat_purchases_rmse", "mean_value_rmse")
MORE_IS_BETTER = ("auc", "brier_skill")
PREDICTED, ACTUAL = "_predicted", "_actual"
# Estimates carry rounding: what lies closer than this is no worse.
AS_GOOD_AS = 1e-9
# An AUC moves by a hundredth or two with the sample; a fall like this is another world.
AUC_FELL = 0.05

_IS_PROBABILITY = r"(^|_)probability(_|$)"


def estimates(connection: duckdb.DuckDBPyConnection) -> Suite:
    """No estimate in use is worse than the naive one, unmeasured or impossible.

    Args:
        connection: The candidate, its marts in `main`, with the last published version, if there
            is one, as `last`.
    """
    tables = _tables(connection, "current_database()")
    quality = "estimate_quality" in _tables(connection, "'last'")
    last_auc = (
        "select estimator, segment, value from last.main.estimate_quality where measure = 'auc'"
        if quality
        else "select '' as estimator, '' as segment, 0.0 as value where false"
    )
    claims = [*_impossible_probabilities(connection), *_rising_curves(tables)]
    impossible = " union all ".join(claims) or "select '' as place, '' as rule where false"
    connection.execute(
        f"""
        create or replace temp table gate_estimates as
        with quality as (
            select * from main.estimate_quality
        ),
        actual as (
            select
                estimator, segment, replace(measure, '{ACTUAL}', '{PREDICTED}') as measure,
                value as actual_value
            from quality where measure like '%{ACTUAL}'
        ),
        last_auc as ({last_auc})
        select
            concat_ws(' / ', quality.estimator, quality.segment, quality.measure) as place,
            {_worse_sql()} as is_worse,
            quality.is_used and quality.value is null
                and quality.naive_value is not null as is_unmeasured,
            quality.measure = 'auc'
                and coalesce(quality.value < last_auc.value - {AUC_FELL}, false) as has_fallen,
            '' as rule
        from quality
        left join actual using (estimator, segment, measure)
        left join last_auc using (estimator, segment)
        union all
        select place, false, false, false, rule from ({impossible})
        union all
        select place, false, true, false, '' from ({_untold_sql(tables)})
        """
    )
    checks = (
        rows_due(1, "Every refresh estimates something, and says how good it is."),
        no_rows(
            "better_than_naive",
            "select place from {batch} where is_worse",
            "An estimate in use is no worse on its hold-out than the naive one, which else stands "
            "in its place.",
            expected="every estimate in use at least as good as the naive one",
        ),
        no_rows(
            "every_estimate_is_measured",
            "select place from {batch} where is_unmeasured",
            "What was never held against what came true is a guess, and is not published as an "
            "estimate.",
            expected="a hold-out of every estimate in use",
        ),
        no_rows(
            "probabilities_are_possible",
            "select place from {batch} where rule = 'probability'",
            "A probability lies between 0 and 1.",
            expected="no probability outside 0 to 1",
        ),
        no_rows(
            "survival_never_rises",
            "select place from {batch} where rule = 'survival'",
            "Nobody comes back from having left: a curve of survivors falls or stays.",
            expected="curves between 0 and 1 that never rise",
        ),
        no_rows(
            "auc_fell",
            "select place from {batch} where has_fallen",
            "The score ranks much worse than in the last version: customers changed, or a feed "
            "it reads did.",
            severity="warning",
            expected=f"an AUC at most {AUC_FELL} below the last version's",
        ),
    )
    return Suite("estimates", "select * from gate_estimates", checks, key=("place",))


def _tables(connection: duckdb.DuckDBPyConnection, database: str) -> set[str]:
    found = connection.execute(
        "select table_name from duckdb_tables() "
        f"where database_name = {database} and schema_name = 'main'"
    ).fetchall()
    return {name for (name,) in found}


def _worse_sql() -> str:
    """Whether an estimate in use does worse than the naive one by what the measure means."""
    less = ", ".join(f"'{name}'" for name in LESS_IS_BETTER)
    more = ", ".join(f"'{name}'" for name in MORE_IS_BETTER)
    return f"""coalesce(quality.is_used and case
                when quality.measure in ({less})
                    then quality.value > quality.naive_value + {AS_GOOD_AS}
                when quality.measure in ({more})
                    then quality.value < quality.naive_value - {AS_GOOD_AS}
                when quality.measure like '%{PREDICTED}'
                    then abs(quality.value - actual.actual_value)
                        > abs(quality.naive_value - actual.actual_value) + {AS_GOOD_AS}
            end, false)"""


def _impossible_probabilities(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Of every column of any mart that is called a probability, the rows where it cannot be one."""
    found = connection.execute(
        "select table_name, column_name from duckdb_columns() "
        "where database_name = current_database() and schema_name = 'main' "
        f"and regexp_matches(column_name, '{_IS_PROBABILITY}') "
        "and regexp_matches(data_type, '^(DOUBLE|FLOAT|DECIMAL.*)$') order by all"
    ).fetchall()
    return [
        f"select '{mart}.{column}: ' || count(*) || ' rows' as place, 'probability' as rule "
        f'from main."{mart}" where not ("{column}" between 0 and 1) having count(*) > 0'
        for mart, column in found
    ]


def _rising_curves(tables: Collection[str]) -> list[str]:
    return [
        f"select '{mart}.{column}: ' || count(*) || ' rows' as place, 'survival' as rule from ("
        f'select "{column}" as now, lag("{column}") over (partition by {", ".join(apart)} '
        f'order by "{along}") as before from main."{mart}" where "{column}" is not null) '
        f"where now > before + {AS_GOOD_AS} or not (now between 0 and 1) having count(*) > 0"
        for mart, apart, along, columns in CURVES
        if mart in tables
        for column in columns
    ]


def _untold_sql(tables: Collection[str]) -> str:
    """Marts with rows whose estimator estimate_quality does not tell of."""
    selects = [
        f"select '{estimator}' as place where exists (select 1 from main.{mart}) and not exists "
        f"(select 1 from main.estimate_quality where estimator = '{estimator}')"
        for mart, estimator in MEASURED.items()
        if mart in tables
    ]
    return " union all ".join(selects) or "select '' as place where false"
