"""Purchases without a contract: what their models in Python fit, measure and tabulate.

Holds how aggregates become fits, a hold-out and a curve. The statistics themselves are in
`estimators`; what a customer is worth is worked out in SQL (int_purchase_value).
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from orchestration.estimates import (
    CALIBRATION,
    CURRENT,
    EVERYBODY,
    QUALITY_COLUMNS,
    Estimated,
    fit_table,
    fits,
    ordered,
    table,
)
from orchestration.estimators import bg_nbd, gamma_gamma
from orchestration.estimators.fit import Fit, Parameter, standing_in
from orchestration.estimators.inputs import Array, summed

# What is estimated: repeat purchase days, and what such a day is worth.
PURCHASES, MEAN_VALUE = "purchases", "purchase_mean_value"
# The same said of everybody: what the estimates are held against, and what stands in for them.
PURCHASES_NAIVE, MEAN_VALUE_NAIVE = "purchases_naive", "purchase_mean_value_naive"
RATE = "cohort_rate"
# Below so many customers who came back the error of a mean value is chance.
JUDGED = 30
DAYS_A_WEEK = 7
CURVE_COLUMNS: Mapping[str, pa.DataType] = {
    "frequency": pa.int64(),
    "age_days": pa.int64(),
    "expected_purchases_if_alive": pa.float64(),
    "discounted_purchases_if_alive_low": pa.float64(),
    "discounted_purchases_if_alive_base": pa.float64(),
    "discounted_purchases_if_alive_high": pa.float64(),
}
Columns = Mapping[str, np.ndarray[Any, Any]]


def fit(counts: duckdb.DuckDBPyRelation, spend: duckdb.DuckDBPyRelation) -> pa.Table:
    """The BG/NBD and the gamma-gamma of both samples, beside the naive forecast of each.

    Args:
        counts: sample, frequency, recency_days, age_days, customers; one row each.
        spend: sample, valued_repeat_days, repeat_value, customers, first_days, first_value; a
            row for each number of days and value, and more for what was held out.

    Returns:
        A table of FIT_COLUMNS. Where the BG/NBD cannot be fitted, method "cohort_rate" with
        `rate`, repeat purchase days a customer and week; where the gamma-gamma cannot,
        "cohort_mean" with `mean`.
    """
    bought, spent = ordered(counts), ordered(spend)
    found: list[Estimated] = []
    for sample in (CURRENT, CALIBRATION):
        found += _purchases(_of(bought, sample), sample)
        found += _mean_values(_of(spent, sample), sample)
    return fit_table(found)


def _of(columns: Columns, sample: str) -> dict[str, Array]:
    rows = np.asarray(columns["sample"] == sample, dtype=bool)
    return {
        name: np.asarray(values[rows], dtype=np.float64)
        for name, values in columns.items()
        if name != "sample"
    }


def _purchases(columns: Mapping[str, Array], sample: str) -> Iterator[Estimated]:
    x, customers = columns["frequency"], columns["customers"]
    t_x, age = columns["recency_days"] / DAYS_A_WEEK, columns["age_days"] / DAYS_A_WEEK
    own = bg_nbd.fit(x, t_x, age, customers)
    naive = _cohort_rate(x, age, customers)
    if own.method == bg_nbd.FALLBACK:
        own = replace(naive, reason=own.reason)
    yield Estimated(PURCHASES, EVERYBODY, sample, _told(own))
    yield Estimated(PURCHASES_NAIVE, EVERYBODY, sample, naive)


def _cohort_rate(x: Array, age: Array, customers: Array) -> Fit:
    """Everybody repeats at the mean rate; for no longer than the oldest has been watched."""
    n, weeks = float(customers.sum()), float(customers @ age)
    if not weeks:
        return standing_in(bg_nbd.FALLBACK, "nobody has been a customer for a day", n)
    rate = float(customers @ x) / weeks
    return standing_in(RATE, "", n, rate=rate, weeks=float(age.max()))


def _told(fit: Fit) -> Fit:
    """The fit with its log-likelihood among its parameters, for the reader of the marts."""
    if math.isnan(fit.log_likelihood):
        return fit
    likelihood = Parameter("log_likelihood", fit.log_likelihood)
    return replace(fit, parameters=(*fit.parameters, likelihood))


def _mean_values(columns: Mapping[str, Array], sample: str) -> Iterator[Estimated]:
    days, value = columns["valued_repeat_days"], columns["repeat_value"]
    naive = _cohort_mean(columns)
    # Who got everything for nothing has no place in a gamma distribution.
    paid = (days > 0) & (value > 0)
    x, z, customers = _distinct(days[paid], value[paid], columns["customers"][paid])
    own = gamma_gamma.fit(x, z / x, customers)
    if own.method == gamma_gamma.FALLBACK:
        own = replace(naive, reason=own.reason, n=own.n)
    yield Estimated(MEAN_VALUE, EVERYBODY, sample, _told(own))
    yield Estimated(MEAN_VALUE_NAIVE, EVERYBODY, sample, naive)


def _distinct(x: Array, z: Array, customers: Array) -> tuple[Array, Array, Array]:
    """Distinct pairs and their customers: the hold-out has told apart what the fit takes as one."""
    pairs, index = np.unique(np.column_stack([x, z]), axis=0, return_inverse=True)
    return pairs[:, 0], pairs[:, 1], summed(index.reshape(-1), customers, len(pairs))


def _cohort_mean(columns: Mapping[str, Array]) -> Fit:
    """The mean repeat purchase day of all customers; of their first ones where none repeats."""
    customers = columns["customers"]
    n, days = float(customers.sum()), float(customers @ columns["valued_repeat_days"])
    if days:
        mean = float(customers @ columns["repeat_value"]) / days
        return standing_in(gamma_gamma.FALLBACK, "", n, mean=mean)
    firsts = float(columns["first_days"].sum())
    if not firsts:
        return standing_in(gamma_gamma.FALLBACK, "no purchase of known value", n)
    reason = "no repeat purchases: the mean of first purchases"
    return standing_in(
        gamma_gamma.FALLBACK, reason, n, mean=float(columns["first_value"].sum()) / firsts
    )


@dataclass(frozen=True)
class Errors:
    """A forecast and the naive one on the hold-out.

    Attributes:
        value: Root mean squared error of the forecast; NaN where there was none to judge.
        naive_value: That of the naive one.
        n: What the mean is over.
        reason: Why nothing could be judged.
    """

    value: float
    naive_value: float
    n: float
    reason: str = ""

    @property
    def is_worse(self) -> bool:
        """Whether the forecast did worse than the naive one; one that is no number did."""
        return not self.value <= self.naive_value


def quality(
    counts: duckdb.DuckDBPyRelation,
    spend: duckdb.DuckDBPyRelation,
    fitted: duckdb.DuckDBPyRelation,
    calibration: duckdb.DuckDBPyRelation,
) -> pa.Table:
    """How the fits to the calibration sample did on what came after it.

    Purchases: of every customer of the calibration sample the purchase days after it, predicted
    and actual, in total and as a root mean squared error per customer. Mean value: the mean of
    his purchase days after it, a customer weighted by their number. The error of each customer
    decides: an estimate worse than the naive forecast, or never measured, is not used. A total may
    be met by luck; it is told without the naive one's.

    Args:
        counts: As `fit` takes it, with held_out_purchases and held_out_squares.
        spend: As `fit` takes it, with held_out_days and held_out_value.
        fitted: What `fit` returned.
        calibration: One row: calibration_end, holdout_end.

    Returns:
        A table of QUALITY_COLUMNS; without rows where nobody was in the calibration sample.
    """
    row = calibration.project("calibration_end, holdout_end").fetchall()[0]
    weeks = (row[1] - row[0]).days / DAYS_A_WEEK
    found = _fits(fitted)
    bought = _of(ordered(counts), CALIBRATION)
    if not bought["customers"].size:
        return table(QUALITY_COLUMNS, [])
    rows: list[tuple[object, ...]] = []
    own, naive = found[PURCHASES, CALIBRATION], found[PURCHASES_NAIVE, CALIBRATION]
    errors, totals = _purchase_errors(bought, own, naive, weeks)
    verdict = (*row, *_verdict(errors, found[PURCHASES, CURRENT], bg_nbd.METHOD))
    for measure, value, naive_value in (*totals, _rmse("repeat_purchases_rmse", errors)):
        rows.append((PURCHASES, EVERYBODY, measure, value, naive_value, errors.n, *verdict))
    own, naive = found[MEAN_VALUE, CALIBRATION], found[MEAN_VALUE_NAIVE, CALIBRATION]
    errors = _value_errors(_of(ordered(spend), CALIBRATION), own, naive)
    verdict = (*row, *_verdict(errors, found[MEAN_VALUE, CURRENT], gamma_gamma.METHOD))
    rows.append((MEAN_VALUE, EVERYBODY, *_rmse("mean_value_rmse", errors), errors.n, *verdict))
    return table(QUALITY_COLUMNS, rows)


def _fits(fitted: duckdb.DuckDBPyRelation) -> dict[tuple[str, str], Fit]:
    """Fits by estimator and sample, with their reasons."""
    columns = ordered(fitted)
    keys = zip(columns["estimator"], columns["sample"], strict=True)
    reasons = dict(zip(keys, columns["reason"], strict=True))
    return {
        key: replace(each.fit, reason=reasons[key] or "")
        for each in fits(columns)
        for key in [(each.estimator, each.sample)]
    }


def _rmse(measure: str, errors: Errors) -> tuple[str, float, float]:
    return measure, errors.value, errors.naive_value


def _verdict(errors: Errors, current: Fit, method: str) -> tuple[bool, str | None]:
    """Whether the estimate is used, and why not: what was never measured is a guess."""
    if current.method != method:
        return False, current.reason
    if errors.reason:
        return False, f"not measured: {errors.reason}"
    if errors.is_worse:
        return False, "worse than the naive forecast"
    return True, None


def _purchase_errors(
    columns: Mapping[str, Array], own: Fit, naive: Fit, weeks: float
) -> tuple[Errors, list[tuple[str, float, float]]]:
    x, customers = columns["frequency"], columns["customers"]
    t_x, age = columns["recency_days"] / DAYS_A_WEEK, columns["age_days"] / DAYS_A_WEEK
    came, squares = columns["held_out_purchases"], columns["held_out_squares"]
    n = float(customers.sum())
    rate = naive.values.get("rate", math.nan)
    same = np.full(x.size, rate * weeks)
    reason = "" if own.method == bg_nbd.METHOD else own.reason or naive.reason
    forecast = (
        np.full(x.size, math.nan) if reason else bg_nbd.expected_purchases(own, x, t_x, age, weeks)
    )

    def root(predicted: Array) -> float:
        # Σ(y − ŷ)² of customers who are predicted alike.
        missed = float((squares - 2 * predicted * came + customers * predicted**2).sum())
        # Of a forecast without an error rounding may leave less than nothing.
        return math.sqrt(max(missed, 0.0) / n) if math.isfinite(missed) else math.nan

    totals = [
        ("repeat_purchases_predicted", float(customers @ forecast), math.nan),
        ("repeat_purchases_actual", float(came.sum()), math.nan),
    ]
    return Errors(root(forecast), root(same), n, reason), totals


def _value_errors(columns: Mapping[str, Array], own: Fit, naive: Fit) -> Errors:
    back = columns["held_out_days"] > 0
    held = {name: values[back] for name, values in columns.items()}
    x, value, customers = held["valued_repeat_days"], held["repeat_value"], held["customers"]
    n = float(customers.sum())
    mean = naive.values.get("mean", math.nan)
    came = np.maximum(held["held_out_value"], 0) / held["held_out_days"]
    weight = customers * held["held_out_days"]

    def root(predicted: Array) -> float:
        total = float(weight.sum())
        return math.sqrt(float(weight @ (came - predicted) ** 2) / total) if total else math.nan

    same = root(np.full(x.size, mean))
    if own.method != gamma_gamma.METHOD:
        return Errors(math.nan, same, n, own.reason)
    if n < JUDGED:
        reason = f"{n:g} customers came back where {JUDGED} are needed"
        return Errors(math.nan, same, n, reason)
    return Errors(root(gamma_gamma.expected_mean(own, x, value / np.maximum(x, 1))), same, n)


def curve(
    counts: duckdb.DuckDBPyRelation,
    parameters: duckdb.DuckDBPyRelation,
    assumptions: duckdb.DuckDBPyRelation,
) -> pa.Table:
    """What is still to come of a customer who has not stopped, by frequency and age.

    Recency decides only whether he has, which SQL works out row by row: so a million customers
    are some thousands of rows. The low end of a discounted number has the high discount rate and
    the short horizon.

    Args:
        counts: sample, frequency, age_days, …: distinct pairs of the current sample are taken.
        parameters: One row: purchases_method and r, alpha, a, b, rate, weeks of the fit used.
        assumptions: assumption, low, base, high; read are annual_discount_rate, horizon_weeks.

    Returns:
        A table of CURVE_COLUMNS; expected_purchases_if_alive over the base horizon. Null where
        nothing is known.
    """
    rows = _of(ordered(counts), CURRENT)
    pairs = np.unique(np.column_stack([rows["frequency"], rows["age_days"]]), axis=0)
    x, days = pairs[:, 0], pairs[:, 1]
    used = dict(zip(parameters.columns, parameters.fetchall()[0], strict=True))
    stated = {
        str(name): numbers
        for name, *numbers in assumptions.project("assumption, low, base, high").fetchall()
    }
    rates, horizons = stated["annual_discount_rate"], stated["horizon_weeks"]
    ahead = _Ahead(used, x, days / DAYS_A_WEEK)
    columns = [
        ahead.purchases(horizons[1], 0.0),
        ahead.purchases(horizons[0], rates[2]),
        ahead.purchases(horizons[1], rates[1]),
        ahead.purchases(horizons[2], rates[0]),
    ]
    values = [(int(f), int(d)) for f, d in zip(x, days, strict=True)]
    return table(
        CURVE_COLUMNS,
        [(*key, *(float(column[place]) for column in columns)) for place, key in enumerate(values)],
    )


class _Ahead:
    """Purchases expected of customers who have not stopped."""

    def __init__(self, used: Mapping[str, Any], x: Array, age: Array) -> None:
        self.method = used["purchases_method"]
        self.used = used
        self.x, self.age = x, age
        self.found: dict[tuple[int, float], Array] = {}

    def purchases(self, weeks: float | None, annual_discount: float | None) -> Array:
        """Discounted purchases within so many whole weeks; NaN where one of them is unknown."""
        if weeks is None or annual_discount is None:
            return np.full(self.x.size, math.nan)
        key = int(weeks), annual_discount
        if key not in self.found:
            self.found[key] = self._purchases(*key)
        return self.found[key]

    def _purchases(self, weeks: int, annual_discount: float) -> Array:
        if self.method == RATE:
            # A mean rate says nothing about longer than it was watched.
            week = np.arange(1, min(weeks, int(self.used["weeks"])) + 1)
            delta = math.log1p(annual_discount) / bg_nbd.WEEKS_A_YEAR
            total = float(np.exp(-delta * week).sum()) * self.used["rate"]
            return np.full(self.x.size, total)
        if self.method != bg_nbd.METHOD:
            return np.full(self.x.size, math.nan)
        if weeks < 1 or not self.x.size:
            return np.zeros(self.x.size)
        fit = Fit.known(self.method, **{name: self.used[name] for name in bg_nbd.NAMES})
        if not annual_discount:
            return bg_nbd.expected_purchases_if_alive(fit, self.x, self.age, weeks)
        return bg_nbd.discounted_purchases_if_alive(fit, self.x, self.age, weeks, annual_discount)
