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


def test_how_much_may_still_change_depends_on_the_days_to_come_not_on_the_season() -> None:
    # Twelve weeks that bring 6 and 10 by turns, then the goal's first of three. Last year's season
    # was all in by now, yet two weeks are to come.
    first = dt.date(2024, 4, 8)
    weekly = [6.0, 10.0] * 6 + [6.0]
    days = [first + dt.timedelta(days=n) for n in range(7 * len(weekly))]
    rows = [
        {
            "goal_id": "sold",
            "day": day,
            "end_day": days[-1] + dt.timedelta(days=14),
            "is_running": place >= 7 * 12,
            "kind": "flow",
            "grain": "day",
            "direction": "up",
            "window_days": 1,
            "total_days": 21,
            "target": 20.0,
            # Each week's comes in on its last day.
            "level": sum(weekly[: (place + 1) // 7]),
            "observed_day": day,
            "share_elapsed": 1.0,
            "forecast": 6.0,
        }
        for place, day in enumerate(days)
    ]
    relation = duckdb.connect().from_arrow(pa.Table.from_pylist(rows))
    last = estimates_goals.forecasts(relation).to_pylist()[-1]
    assert last["day"] == days[-1]
    # Twelve steps are known, six of 10 and six of 6: mean 8, variance 12 * 4 / 11. One week has
    # gone and two are to come: 48 / 11 * 2 * (1 + 2 / 1). t of 11 degrees at .975 is 2.201.
    half = 2.201 * (48 / 11 * 6) ** 0.5
    assert last["forecast_low"] == pytest.approx(6 - half, rel=1e-3)
    assert last["forecast_high"] == pytest.approx(6 + half, rel=1e-3)
    # 14 below the target, 2.736 standard errors: t tables have .01 at 2.718 and .005 at 3.106.
    assert 0.005 < last["probability"] < 0.01


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
