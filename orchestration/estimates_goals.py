"""How sure a goal's forecast is, and whether goals pull the same way.

Holds what the marts goal_progress and goal_alignment say beside what is counted. What moves
together need not cause one another; nothing in this module says so.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from orchestration.estimates import ordered, table
from orchestration.estimators.correlation import correlation
from orchestration.estimators.forecast import FEWEST_STEPS, project, recent_steps

Columns = Mapping[str, np.ndarray[Any, Any]]
DAYS_A_WEEK = 7
DAYS_A_MONTH = 365.25 / 12
FORECAST_COLUMNS: Mapping[str, pa.DataType] = {
    "goal_id": pa.string(),
    "day": pa.date32(),
    "forecast_low": pa.float64(),
    "forecast_high": pa.float64(),
    "probability": pa.float64(),
    "reason": pa.string(),
}
TOO_FEW_STEPS = f"fewer than {FEWEST_STEPS} steps are known: how much it varies cannot be told yet"
ALIGNMENT_COLUMNS: Mapping[str, pa.DataType] = {
    "goal_id": pa.string(),
    "other_goal_id": pa.string(),
    "relation": pa.string(),
    "period": pa.string(),
    "association": pa.float64(),
    "lower_bound": pa.float64(),
    "upper_bound": pa.float64(),
    "n": pa.int64(),
    "verdict": pa.string(),
    "reason": pa.string(),
}
FEWEST_CHANGES = 8
WITH, AGAINST, NOT_SHOWN = "pulls with", "pulls against", "not shown"


def forecasts(goal_days: duckdb.DuckDBPyRelation) -> pa.Table:
    """Interval and probability of every running day's forecast.

    A step of a flow, and of a stock known by the day, is a week; of a ratio of days its window, so
    that no two steps look at the same days; of what is known by the month a month.

    Args:
        goal_days: Rows of int_goal_days.
    """
    columns = ordered(goal_days)
    rows: list[tuple[object, ...]] = []
    for goal_id in sorted(set(columns["goal_id"])):
        own = columns["goal_id"] == goal_id
        rows += _forecasts(str(goal_id), {name: each[own] for name, each in columns.items()})
    return table(FORECAST_COLUMNS, rows)


def _forecasts(goal_id: str, days: Columns) -> Iterator[tuple[object, ...]]:
    """One goal's, its days in order."""
    levels = days["level"].astype(np.float64)
    if days["grain"][0] == "month":
        length = DAYS_A_MONTH
        known = ~np.isnat(days["observed_day"].astype("datetime64[D]"))
        observed = days["observed_day"].astype("datetime64[D]")[known]
        _, first, place = np.unique(observed, return_index=True, return_inverse=True)
        steps = np.full((len(levels), recent_steps(np.zeros(1), 1).shape[1]), np.nan)
        steps[known] = recent_steps(levels[known][first], 1)[place]
    else:
        length = float(days["window_days"][0]) if days["kind"][0] == "ratio" else DAYS_A_WEEK
        steps = recent_steps(levels, int(length))
    # Days, not the share of a season: last year's may all have come in with weeks still to come.
    left = days["end_day"].astype("datetime64[D]") - days["day"].astype("datetime64[D]")
    remaining = left.astype(np.float64)
    elapsed = days["total_days"].astype(np.float64) - remaining
    with np.errstate(all="ignore"):
        projected = project(
            days["forecast"].astype(np.float64),
            days["target"].astype(np.float64),
            days["direction"] == "up",
            steps,
            elapsed / length,
            remaining / length,
        )
    for place_ in np.flatnonzero(days["is_running"].astype(bool)):
        lower, upper = projected.lower[place_], projected.upper[place_]
        probability = projected.probability[place_]
        has_value = np.isfinite(days["forecast"].astype(np.float64)[place_])
        lacks = has_value and not np.isfinite(lower)
        day = days["day"][place_]
        yield goal_id, _date(day), lower, upper, probability, TOO_FEW_STEPS if lacks else None


def _date(day: Any) -> Any:
    return np.datetime64(day, "D").astype(object)


@dataclass(frozen=True)
class _Series:
    """A goal's metric by period: what changed from one to the next."""

    unit: str
    parent: str
    metric: str
    grain: str
    sign: float
    # period → first day of the period as a number → value
    values: Mapping[str, Mapping[int, float]]

    def changes(self, period: str) -> dict[int, float]:
        """Changes from the period before, by the period's first day."""
        values = self.values.get(period, {})
        days = sorted(values)
        return {
            day: values[day] - values[before]
            for before, day in zip(days, days[1:], strict=False)
            if day - before <= (DAYS_A_WEEK if period == "week" else 31)
        }


def alignment(goal_values: duckdb.DuckDBPyRelation) -> pa.Table:
    """Whether each goal's metric moves as its parent's, and as those of other units.

    Correlated are changes from week to week (from month to month where one is known by the month
    only): levels that merely grow would all seem to pull together. Changes that follow on one
    another, as the back and forth of noise does, count as fewer. The sign is turned so that above
    0 both move to their good side. Of many pairs some move together by chance: the interval's
    coverage is 95 % over all pairs of a relation (Bonferroni).

    Args:
        goal_values: goal_id, parent_id, unit, metric, grain, direction, period, period_start and
            value, of complete weeks and months.
    """
    series = _series(ordered(goal_values))
    pairs = [(name, own.parent, "parent") for name, own in series.items() if own.parent in series]
    pairs += [
        (name, other, "other unit")
        for name, own in series.items()
        for other in series
        if name < other
        and own.unit != series[other].unit
        and own.parent != other
        and series[other].parent != name
    ]
    counts = {relation: sum(pair[2] == relation for pair in pairs) for *_, relation in pairs}
    rows = [
        (name, other, relation, *_together(series[name], series[other], counts[relation]))
        for name, other, relation in sorted(pairs)
    ]
    return table(ALIGNMENT_COLUMNS, rows)


def _series(columns: Columns) -> dict[str, _Series]:
    found: dict[str, _Series] = {}
    for goal_id in sorted(set(columns["goal_id"])):
        own = columns["goal_id"] == goal_id
        values: dict[str, dict[int, float]] = {}
        days = columns["period_start"][own].astype("datetime64[D]").astype(np.int64)
        numbers = columns["value"][own].astype(np.float64)
        for period, day, value in zip(columns["period"][own], days, numbers, strict=True):
            if np.isfinite(value):
                values.setdefault(str(period), {})[int(day)] = float(value)
        first = {name: columns[name][own][0] for name in ("unit", "parent_id", "metric", "grain")}
        sign = 1.0 if columns["direction"][own][0] == "up" else -1.0
        found[str(goal_id)] = _Series(
            str(first["unit"]),
            str(first["parent_id"]),
            str(first["metric"]),
            str(first["grain"]),
            sign,
            values,
        )
    return found


def _together(one: _Series, other: _Series, pair_count: int) -> tuple[object, ...]:
    period = "month" if "month" in (one.grain, other.grain) else "week"
    nothing = (period, np.nan, np.nan, np.nan)
    if one.metric == other.metric:
        return (*nothing, 0, NOT_SHOWN, "both are measured in the same metric")
    changes, others = one.changes(period), other.changes(period)
    common = sorted(changes.keys() & others.keys())
    if len(common) < FEWEST_CHANGES:
        told = f"only {len(common)} changes from {period} to {period} are known of both"
        return (*nothing, len(common), NOT_SHOWN, f"{told}; it takes {FEWEST_CHANGES}")
    sign = one.sign * other.sign
    found = correlation(
        np.array([changes[day] for day in common]),
        sign * np.array([others[day] for day in common]),
        1 - 0.05 / pair_count,
    )
    estimate = (period, found.value, found.lower, found.upper, found.n)
    if not np.isfinite(found.value):
        return (*estimate, NOT_SHOWN, "one of them never changed")
    if found.lower > 0:
        return (*estimate, WITH, None)
    if found.upper < 0:
        return (*estimate, AGAINST, None)
    return (*estimate, NOT_SHOWN, "the interval holds 0")
