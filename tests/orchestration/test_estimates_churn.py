"""Churn: base rates, the score and its hold-out, from examples to tables."""

import datetime as dt
import math
from collections.abc import Iterator
from typing import Any

import duckdb
import pytest

from orchestration import estimates_churn

Row = dict[str, Any]


@pytest.fixture
def engine() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        yield connection


def examples(engine: duckdb.DuckDBPyConnection, groups: str, order: str = "all") -> Any:
    """Examples of groups given as (sample, plan, is_inactive, tenure, customers, left)."""
    return engine.sql(
        f"""
        select
            sample, sample || plan || is_inactive || tenure || number as customer_id,
            date '2024-03-31' as moment_day, plan, (number % 5)::integer as fold,
            number < gone as has_left, false as is_paused, 1.0::double as tenure_days,
            is_inactive::double as is_inactive, tenure::double as tenure,
            'later_periods' as judged_on
        from (values {groups}) as groups (sample, plan, is_inactive, tenure, customers, gone),
            lateral (select unnest(range(customers)) as number)
        order by {order}
        """
    )


def fitted(table: Any) -> dict[tuple[str, str, str, str | None], Row]:
    rows: list[Row] = table.to_pylist()
    keys = ("estimator", "segment", "sample", "parameter")
    return {tuple(row[key] for key in keys): row for row in rows}  # type: ignore[misc]


def test_a_plan_with_too_few_who_left_has_the_rate_of_everybody(
    engine: duckdb.DuckDBPyConnection,
) -> None:
    found = fitted(
        estimates_churn.fit(
            examples(engine, "('current', 'p', 0, 1, 200, 20), ('current', 'q', 0, 1, 100, 3)")
        )
    )
    # ln(20/180), and ln(23/277) of everybody.
    own = found["churn_base_rate", "p", "current", "intercept"]
    assert own["value"] == pytest.approx(math.log(20 / 180), abs=1e-6)
    assert own["method"] == "base_rate"
    pooled = found["churn_base_rate", "q", "current", "intercept"]
    assert pooled["value"] == pytest.approx(math.log(23 / 277), abs=1e-6)
    assert pooled["method"] == "pooled_base_rate"
    assert pooled["reason"] == "3 churned or stayed where 10 are needed"
    assert pooled["n"] == 100


def test_a_score_of_one_covariate_is_the_log_odds_ratio_of_its_table(
    engine: duckdb.DuckDBPyConnection,
) -> None:
    # As in test_logistic: 4,000 of 10,000 sleepers left and 1,000 of 10,000 others, ln 6 = 1.7918;
    # the line of those left out turns it by less than a thousandth.
    found = fitted(
        estimates_churn.fit(
            examples(
                engine,
                "('calibration', 'p', 1, 1, 10000, 4000), ('calibration', 'p', 0, 1, 10000, 1000)",
            )
        )
    )
    slope = found["churn", "(all)", "calibration", "is_inactive"]
    assert slope["method"] == "logistic_recalibrated"
    assert slope["value"] == pytest.approx(math.log(6), abs=4e-3)
    assert slope["standard_error"] == pytest.approx(0.039087, rel=5e-3)
    # What never varies is no part of the score: not tenure, nor the one plan.
    names = {
        name
        for estimator, _, sample, name in found
        if (estimator, sample) == ("churn", "calibration")
    }
    assert names == {"intercept", "is_inactive"}
    # And without an example of the other sample there is nothing to say of it.
    [nothing] = [
        row for row in found.values() if row["sample"] == "current" and row["estimator"] == "churn"
    ]
    assert (nothing["method"], nothing["value"]) == ("none", None)


def test_few_who_left_take_the_first_covariates_only(engine: duckdb.DuckDBPyConnection) -> None:
    # 14 and 4 left; without the fold that holds most of them, 3 + 1, 14 are there to learn from:
    # enough for one covariate, the first. With 13 more, 3 of them in that fold, 24: for both.
    few = "('current', 'p', 1, 1, 140, 14), ('current', 'p', 0, 2, 120, 4)"
    taken = fitted(estimates_churn.fit(examples(engine, few)))
    assert ("churn", "(all)", "current", "is_inactive") in taken
    assert ("churn", "(all)", "current", "tenure") not in taken
    told = taken["churn", "(all)", "current", "intercept"]["reason"]
    assert told == "too few left to fit tenure"
    more = few + ", ('current', 'p', 0, 1, 130, 13)"
    both = fitted(estimates_churn.fit(examples(engine, more)))
    assert ("churn", "(all)", "current", "tenure") in both


def test_the_order_of_the_examples_does_not_matter(engine: duckdb.DuckDBPyConnection) -> None:
    groups = (
        "('current', 'p', 1, 1.3, 900, 100), ('current', 'q', 0, 2.7, 800, 40), "
        "('current', 'q', 1, 0.7, 700, 90), ('calibration', 'p', 0, 1.1, 600, 60)"
    )
    one = estimates_churn.fit(examples(engine, groups))
    assert one.equals(estimates_churn.fit(examples(engine, groups, order="hash(customer_id)")))


def scores(engine: duckdb.DuckDBPyConnection, rows: str, judged_on: str = "later_periods") -> Any:
    """Scored rows given as (score, plan's, has_left), each of 20 customers."""
    return engine.sql(
        f"""
        select
            '{judged_on}' as judged_on, 'holdout' as sample, score::double as score_probability,
            plan::double as plan_probability, has_left
        from (values {rows}) as rows (score, plan, has_left), range(20)
        """
    )


def judged(engine: duckdb.DuckDBPyConnection, held: Any, method: str = "logistic") -> list[Row]:
    fits = engine.sql(
        f"""
        select 'churn' as estimator, unnest(['current', 'calibration']) as sample,
            '{method}' as method
        """
    )
    ends = engine.sql(
        "select date '2024-03-01' as calibration_end, date '2024-05-31' as holdout_end"
    )
    rows: list[Row] = estimates_churn.quality(held, fits, ends).to_pylist()
    assert [row["measure"] for row in rows] == ["auc", "brier", "brier_skill", "calibration_slope"]
    return rows


# Of five the scores .8 and .4 left, .6, .4 and .2 stayed; everybody's plan says .4.
BY_HAND = (
    "(0.8, 0.4, true), (0.4, 0.4, true), (0.6, 0.4, false), (0.4, 0.4, false), (0.2, 0.4, false)"
)


def test_the_hold_out_gives_the_measures_worked_out_by_hand(
    engine: duckdb.DuckDBPyConnection,
) -> None:
    # As in test_holdout: of 6 pairs .8 wins 3, .4 wins 1 and ties 1, 4.5/6. Brier (.04 + .36 + .36
    # + .16 + .04)/5 = .192; of the plan .4·.6 = .24; skill 1 − .8 = .2.
    auc, brier, skill, slope = judged(engine, scores(engine, BY_HAND))
    assert (auc["value"], auc["naive_value"]) == (pytest.approx(0.75), pytest.approx(0.5))
    assert (brier["value"], brier["naive_value"]) == (pytest.approx(0.192), pytest.approx(0.24))
    assert (skill["value"], skill["naive_value"]) == (pytest.approx(0.2), 0)
    assert slope["naive_value"] is None
    for row in (auc, brier, skill, slope):
        assert (row["n"], row["is_used"], row["reason"]) == (100, True, None)
        assert row["calibration_end"] == dt.date(2024, 3, 1)


def test_a_score_that_says_what_happens_has_a_slope_of_one(
    engine: duckdb.DuckDBPyConnection,
) -> None:
    quarter = "(0.25, 0.5, true), (0.25, 0.5, false), (0.25, 0.5, false), (0.25, 0.5, false)"
    three = "(0.75, 0.5, false), (0.75, 0.5, true), (0.75, 0.5, true), (0.75, 0.5, true)"
    *_, slope = judged(engine, scores(engine, f"{quarter}, {three}"))
    assert slope["value"] == pytest.approx(1)


def test_a_score_worse_than_the_plan_is_not_used(engine: duckdb.DuckDBPyConnection) -> None:
    turned = BY_HAND.replace("true", "gone").replace("false", "true").replace("gone", "false")
    rows = judged(engine, scores(engine, turned))
    assert rows[1]["value"] > rows[1]["naive_value"]
    assert {(row["is_used"], row["reason"]) for row in rows} == {
        (False, "no better than the base rate of the plan")
    }


def test_a_score_that_ranks_worse_than_the_plan_is_not_used(
    engine: duckdb.DuckDBPyConnection,
) -> None:
    # Nearer to the truth, and yet in a worse order: the plan ranks right and is far too high.
    rows = judged(
        engine,
        scores(
            engine, "(0.3, 0.91, true), (0.3, 0.9, false), (0.3, 0.9, false), (0.3, 0.9, false)"
        ),
    )
    assert rows[1]["value"] < rows[1]["naive_value"]
    assert rows[0]["value"] < rows[0]["naive_value"]
    assert not any(row["is_used"] for row in rows)


def test_on_too_few_nothing_is_judged(engine: duckdb.DuckDBPyConnection) -> None:
    rows = judged(engine, scores(engine, BY_HAND).filter("not has_left"))
    assert {(row["value"], row["is_used"], row["reason"]) for row in rows} == {
        (None, False, "0 left or stayed in the hold-out where 20 are needed")
    }
    # Nobody at all, as in a first refresh.
    assert {row["n"] for row in judged(engine, scores(engine, BY_HAND).filter("false"))} == {0}


def test_a_base_rate_is_no_score(engine: duckdb.DuckDBPyConnection) -> None:
    rows = judged(engine, scores(engine, BY_HAND), method="base_rate")
    assert {(row["value"], row["is_used"]) for row in rows} == {(None, False)}


def test_a_hold_out_of_other_customers_says_so(engine: duckdb.DuckDBPyConnection) -> None:
    rows = judged(engine, scores(engine, BY_HAND, "other_customers"))
    assert {row["calibration_end"] for row in rows} == {None}
    assert all(
        row["is_used"] and "judged on a fifth of the customers" in row["reason"] for row in rows
    )
