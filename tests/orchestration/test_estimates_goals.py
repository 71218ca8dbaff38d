"""Whether goals pull together: from the values of their metrics, week by week."""

import datetime as dt
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from orchestration import estimates_goals

MONDAY = dt.date(2024, 1, 1)


def values(**series: tuple[str, str, str, str, list[float]]) -> duckdb.DuckDBPyRelation:
    """Weekly values of goals: unit, parent, metric, direction, values."""
    rows = [
        {
            "goal_id": goal,
            "parent_id": parent,
            "unit": unit,
            "metric": metric,
            "grain": "day",
            "direction": direction,
            "period": "week",
            "period_start": MONDAY + dt.timedelta(weeks=week),
            "value": value,
        }
        for goal, (unit, parent, metric, direction, numbers) in series.items()
        for week, value in enumerate(numbers)
    ]
    return duckdb.connect().from_arrow(pa.Table.from_pylist(rows))


def told(relation: duckdb.DuckDBPyRelation) -> dict[tuple[str, str], dict[str, Any]]:
    """What is said of each pair."""
    found = estimates_goals.alignment(relation).to_pylist()
    return {(row["goal_id"], row["other_goal_id"]): row for row in found}


def test_the_sign_is_turned_so_that_above_nothing_both_move_to_their_good_side() -> None:
    up = np.random.default_rng(1).normal(0, 1, 40).cumsum()
    found = told(
        values(
            more=("sales", "", "revenue", "up", list(up)),
            reading=("news", "more", "visits", "up", list(2 * up + 5)),
            waiting=("product", "more", "slow", "down", list(3 * up)),
            leaving=("service", "", "churn", "down", list(-up)),
        )
    )
    assert found["reading", "more"]["verdict"] == "pulls with"
    assert found["reading", "more"]["association"] == pytest.approx(1)
    # Pages get slower as revenue grows: less is good, so the two pull apart.
    assert found["waiting", "more"]["verdict"] == "pulls against"
    assert found["reading", "waiting"]["association"] == pytest.approx(-1)
    assert found["leaving", "more"]["relation"] == "other unit"
    assert found["leaving", "more"]["verdict"] == "pulls with"
    # 39 changes of 40 weeks.
    assert found["reading", "more"]["n"] == 39


def test_each_pair_of_units_is_looked_at_once_and_none_within_a_unit() -> None:
    line = [float(n % 3) for n in range(20)]
    found = told(
        values(
            a=("sales", "", "m1", "up", line),
            b=("sales", "", "m2", "up", line),
            c=("news", "", "m3", "up", line),
        )
    )
    assert set(found) == {("a", "c"), ("b", "c")}


def test_too_few_changes_or_the_same_metric_show_nothing_and_say_why() -> None:
    found = told(
        values(
            a=("sales", "", "m1", "up", [1.0, 2, 4, 7, 11, 16, 22, 29]),
            b=("news", "", "m2", "up", [1.0, 2, 4, 7, 11, 16, 22, 29]),
            c=("ads", "", "m1", "up", [1.0, 2, 4, 7, 11, 16, 22, 29]),
        )
    )
    assert found["a", "b"]["reason"] == (
        "only 7 changes from week to week are known of both; it takes 8"
    )
    assert found["a", "c"]["reason"] == "both are measured in the same metric"
    assert {row["verdict"] for row in found.values()} == {"not shown"}


def test_growing_together_is_not_moving_together() -> None:
    chance = np.random.default_rng(7)
    found = told(
        values(
            a=("sales", "", "m1", "up", list(np.arange(60) + chance.normal(0, 1, 60))),
            b=("news", "", "m2", "up", list(np.arange(60) + chance.normal(0, 1, 60))),
        )
    )
    assert found["a", "b"]["verdict"] == "not shown"
    assert abs(found["a", "b"]["association"]) < 0.4
