"""Retention and residual lifetime of contracts: fits, their hold-out, and curves to score with.

Holds what the models fit_contractual, quality_contractual, curve_contractual and curve_retention
call. How contracts are counted is the dbt project's (int_contracts), the formulas are
estimators.sbg's and estimators.kaplan_meier's. A segment is a plan and its billing period: a
renewal opportunity is one billing period, and years are not pooled with months.
"""

import datetime as dt
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from orchestration.estimates import (
    CALIBRATION,
    CURRENT,
    QUALITY_COLUMNS,
    Estimated,
    by_segment,
    fit_table,
    ordered,
    table,
)
from orchestration.estimates import fits as fitted
from orchestration.estimators import kaplan_meier, sbg
from orchestration.estimators.fit import (
    LEVEL,
    Fit,
    Parameter,
    normal_quantile,
    pooled,
    standing_in,
)
from orchestration.estimators.inputs import Array, too_few

ESTIMATOR = "contractual"
ALL_PLANS = "(all plans)"
# A week is the 52nd part of a year, as in MRR.
PERIODS_A_YEAR = {"week": 52, "month": 12, "quarter": 4, "year": 1}
DAYS_A_YEAR = 365.25
UNKNOWN = "unknown"
# So many periods under observation carry a hazard of their own.
NEEDED_PERIODS = 100.0
# What the low value rests on is the high discount, and the other way round.
DISCOUNTS = {"derl_low": "high", "derl_base": "base", "derl_high": "low"}
# Rates whose lifetimes can be summed up (sbg.residual_lifetime).
SMALLEST_DISCOUNT = 1e-5

CURVE_COLUMNS: Mapping[str, pa.DataType] = {
    "segment": pa.string(),
    "period": pa.int64(),
    "retention": pa.float64(),
    "survival": pa.float64(),
    **dict.fromkeys(DISCOUNTS, pa.float64()),
    "method": pa.string(),
}
RETENTION_COLUMNS: Mapping[str, pa.DataType] = {
    "cohort": pa.date32(),
    "plan": pa.string(),
    "billing_period": pa.string(),
    "tenure": pa.int64(),
    "at_risk": pa.int64(),
    "churned": pa.int64(),
    "entry_tenure": pa.int64(),
    "survival": pa.float64(),
    "standard_error": pa.float64(),
    "lower_bound": pa.float64(),
    "upper_bound": pa.float64(),
    "projected_survival": pa.float64(),
    "method": pa.string(),
}

Columns = Mapping[str, np.ndarray[Any, Any]]


def fits(
    renewals: duckdb.DuckDBPyRelation,
    segments: duckdb.DuckDBPyRelation,
    holdout: duckdb.DuckDBPyRelation,
) -> pa.Table:
    """The sBG of every segment and of all plans of a billing period, as of both ends.

    A current fit whose segment's calibration fit was further off the survivors of the hold-out
    than a constant hazard gives way to a constant hazard.

    Args:
        renewals: int_renewals: sample, segment, billing_period, period, at_risk, churned.
        segments: int_contract_segments: sample, segment, billing_period, observed_days,
            observed_churned.
        holdout: int_contract_holdout: segment, first_period, last_period, contract_count,
            survived.

    Returns:
        A table of FIT_COLUMNS.
    """
    counts, observed, held = ordered(renewals), ordered(segments), ordered(holdout)
    before = dict(_sample(counts, observed, CALIBRATION))
    now = dict(_sample(counts, observed, CURRENT))
    found = [Estimated(ESTIMATOR, name, CALIBRATION, fit) for name, fit in before.items()]
    for name, fit in now.items():
        used = fit
        if name in before and (worse := _worse(before[name], counts, held, name)):
            rows = _of(counts, CURRENT, name)
            used = sbg.constant_hazard(rows["at_risk"], rows["churned"], worse)
        found.append(Estimated(ESTIMATOR, name, CURRENT, used))
    return fit_table(found)


def _sample(counts: Columns, observed: Columns, sample: str) -> Iterator[tuple[str, Fit]]:
    """The fit of every segment there is, and before them that of all plans of their period."""
    here = _where(observed, observed["sample"] == sample)
    for billing_period, own in by_segment(here, "billing_period"):
        whole = pool_name(billing_period)
        pool = _own(_of(counts, sample, whole), own, billing_period)
        yield whole, pool
        for segment, rows in by_segment(own, "segment"):
            seen = _of(counts, sample, segment)
            fit = _own(seen, rows, billing_period)
            yield segment, fit if _is_enough(seen) else _best(fit, pool)


def pool_name(billing_period: str) -> str:
    """The segment of all plans with a billing period."""
    return f"{ALL_PLANS} ({billing_period})"


def _own(counts: Columns, observed: Columns, billing_period: str) -> Fit:
    """The sBG, or a constant hazard: of the periods seen whole, else of the time seen.

    Where hardly a period was seen whole, as of annual contracts in half a year, churn by the time
    under observation is all there is: P(no churn in a period) = e^(−churned/periods).
    """
    fit = sbg.fit(counts["period"], counts["at_risk"], counts["churned"])
    if fit.converged or fit.n >= NEEDED_PERIODS:
        return fit
    days, churned = observed["observed_days"].sum(), observed["observed_churned"].sum()
    periods = float(days) / DAYS_A_YEAR * PERIODS_A_YEAR[billing_period]
    if periods <= fit.n or periods == 0:
        return fit if fit.n else standing_in(UNKNOWN, "no contract was seen for a day", 0.0)
    reason = f"{fit.reason}; churn by the time seen, {churned:.0f} in {periods:.1f} periods"
    return _by_time(float(churned), periods, reason)


def _by_time(churned: float, periods: float, reason: str) -> Fit:
    """A constant hazard from a Poisson rate, shrunk as sbg.constant_hazard is."""
    count, exposure = churned + 0.5, periods + 1
    width = math.exp(normal_quantile(LEVEL) / math.sqrt(count))
    hazard, lower, upper = (
        -math.expm1(-rate / exposure) for rate in (count, count / width, count * width)
    )
    error = (1 - hazard) * math.sqrt(count) / exposure
    fit = standing_in(sbg.FALLBACK, reason, periods, hazard=hazard)
    found = Parameter("hazard", hazard, error, lower, upper)
    return replace(fit, parameters=(found,), covariance=np.array([[error**2]]))


def _is_enough(counts: Columns) -> bool:
    """Whether a segment can speak for itself, be it that its customers are all alike."""
    periods, index = np.unique(counts["period"], return_inverse=True)
    at_risk = np.bincount(index, counts["at_risk"], periods.size)
    found = {
        "customers": float(at_risk.max(initial=0.0)),
        "churned": float(counts["churned"].sum()),
        "periods": float(np.count_nonzero(at_risk)),
    }
    return not too_few(found, sbg.NEEDED)


def _best(own: Fit, pool: Fit) -> Fit:
    """The fit of all plans in place of a small segment's; its own where that saw more."""
    if own.converged or pool.converged or own.n >= NEEDED_PERIODS or pool.n <= own.n:
        return pooled(own, pool)
    return replace(pool, method=f"pooled_{pool.method}", reason=own.reason, n=own.n)


def quality(
    fit: duckdb.DuckDBPyRelation,
    renewals: duckdb.DuckDBPyRelation,
    holdout: duckdb.DuckDBPyRelation,
    calibration: duckdb.DuckDBPyRelation,
) -> pa.Table:
    """Survivors of the hold-out, predicted from the calibration sample, and actual.

    A contract counts once: from its first renewal that came due after the calibration end to the
    last one due by the as-of day. The naive prediction is a constant hazard, the segment's own of
    the calibration sample. A segment of which nothing came due has no row.

    Args:
        fit: fit_contractual.
        renewals: int_renewals.
        holdout: int_contract_holdout.
        calibration: int_calibration: calibration_end, holdout_end; one row.

    Returns:
        A table of QUALITY_COLUMNS, two rows a segment.
    """
    counts, held = ordered(renewals), ordered(holdout)
    ends = ordered(calibration)
    days = _day(ends["calibration_end"][0]), _day(ends["holdout_end"][0])
    rows: list[tuple[object, ...]] = []
    for each in fitted(ordered(fit)):
        if each.sample != CALIBRATION:
            continue
        judged = _judged(each.fit, counts, held, each.segment)
        if judged is None:
            continue
        predicted, naive, actual, n = judged
        reason = _worse(each.fit, counts, held, each.segment)
        rest = (n, *days, not reason, reason or None)
        rows.append((ESTIMATOR, each.segment, "survivors_predicted", predicted, naive, *rest))
        rows.append((ESTIMATOR, each.segment, "survivors_actual", actual, actual, *rest))
    return table(QUALITY_COLUMNS, rows)


def _worse(fit: Fit, counts: Columns, held: Columns, segment: str) -> str:
    """Why a constant hazard is to be preferred; empty when it is not."""
    judged = _judged(fit, counts, held, segment)
    if judged is None:
        return ""
    predicted, naive, actual, _ = judged
    if abs(predicted - actual) <= abs(naive - actual):
        return ""
    return (
        f"{fit.method} was further off on the hold-out than a constant hazard: {predicted:.1f} "
        f"and {naive:.1f} survivors predicted, {actual:.0f} actual"
    )


def _judged(
    fit: Fit, counts: Columns, held: Columns, segment: str
) -> tuple[float, float, float, float] | None:
    """Survivors predicted, predicted naively, and actual, and out of how many."""
    seen, rows = _of(counts, CALIBRATION, segment), _held(held, segment)
    n = rows["contract_count"].sum()
    if not n or not seen["at_risk"].sum() or not fit.parameters:
        return None
    naive = sbg.constant_hazard(seen["at_risk"], seen["churned"], "")
    predicted, plain = (_survivors(each, rows) for each in (fit, naive))
    return predicted, plain, float(rows["survived"].sum()), float(n)


def _survivors(fit: Fit, rows: Columns) -> float:
    """Of contracts that came up for renewal in first_period … last_period, who is left."""
    first, last = (rows[name].astype(np.int64) for name in ("first_period", "last_period"))
    renewing = np.log(sbg.retention(fit, np.arange(1, int(last.max()) + 1)))
    through = np.concatenate([[0.0], np.cumsum(renewing)])
    return float(rows["contract_count"] @ np.exp(through[last] - through[first - 1]))


def curves(
    fit: duckdb.DuckDBPyRelation,
    segments: duckdb.DuckDBPyRelation,
    assumptions: duckdb.DuckDBPyRelation,
) -> pa.Table:
    """Retention, survival and DERL of every segment by the period a customer is in.

    Args:
        fit: fit_contractual; the current fits are used.
        segments: int_contract_segments: sample, segment, billing_period, longest_period.
        assumptions: assumption, low, base, high; annual_discount_rate is used.

    Returns:
        A table of CURVE_COLUMNS with periods 1, 2, … to the one after the longest tenure there
        is. A period's discount is (1 + annual)^(its length in years) − 1. Lifetimes are null
        where there is no discount to speak of: without one they may be infinite.
    """
    observed = ordered(segments)
    annual = dict(_annual_rates(assumptions))
    rows: list[tuple[object, ...]] = []
    for each in fitted(ordered(fit)):
        own = _where(observed, observed["segment"] == each.segment)
        # All plans together score nobody.
        if each.sample != CURRENT or not own["segment"].size:
            continue
        if not each.fit.parameters:
            continue
        periods = np.arange(1, int(own["longest_period"].max()) + 2)
        length = 1 / PERIODS_A_YEAR[str(own["billing_period"][0])]
        lifetimes = [
            _lifetimes(each.fit, periods, (1 + annual[name]) ** length - 1)
            for name in DISCOUNTS.values()
        ]
        made = sbg.retention(each.fit, periods), sbg.survival(each.fit, periods)
        for place, period in enumerate(periods):
            values = [column[place] for column in (*made, *lifetimes)]
            rows.append((each.segment, int(period), *values, each.fit.method))
    return table(CURVE_COLUMNS, rows)


def _annual_rates(assumptions: duckdb.DuckDBPyRelation) -> Iterator[tuple[str, float]]:
    stated = ordered(assumptions)
    rate = _where(stated, stated["assumption"] == "annual_discount_rate")
    for name in DISCOUNTS.values():
        yield name, float(rate[name][0]) if rate[name].size else math.nan


def _lifetimes(fit: Fit, periods: np.ndarray[Any, Any], discount: float) -> Array:
    if not discount >= SMALLEST_DISCOUNT:
        return np.full(periods.shape, math.nan)
    return sbg.residual_lifetime(fit, periods, discount)


def retention(counts: duckdb.DuckDBPyRelation, fit: duckdb.DuckDBPyRelation) -> pa.Table:
    """Kaplan–Meier curves by cohort and plan, carried on for a year by the segment's model.

    Args:
        counts: int_retention_counts: cohort (null for all), plan, billing_period, segment,
            period, at_risk, churned.
        fit: fit_contractual; the current fits carry the curves on.

    Returns:
        A table of RETENTION_COLUMNS. The curve ends at the first tenure nobody was observed at;
        what was observed after such a gap is carried by the model.
    """
    models = {each.segment: each.fit for each in fitted(ordered(fit)) if each.sample == CURRENT}
    columns = ordered(counts)
    names = list(columns)
    rows: list[tuple[object, ...]] = []
    groups: dict[tuple[object, ...], list[dict[str, Any]]] = {}
    for values in zip(*columns.values(), strict=True):
        row = dict(zip(names, values, strict=True))
        key = (_day(row["cohort"]), row["plan"], row["billing_period"], row["segment"])
        groups.setdefault(key, []).append(row)
    for (cohort, plan, billing_period, segment), own in groups.items():
        model = models.get(str(segment), standing_in(UNKNOWN, "", 0.0))
        for line in _curve(own, model, PERIODS_A_YEAR[str(billing_period)]):
            rows.append((cohort, plan, billing_period, *line))
    return table(RETENTION_COLUMNS, rows)


def _curve(
    rows: Sequence[Mapping[str, Any]], model: Fit, ahead: int
) -> Iterator[tuple[object, ...]]:
    """One curve: a line a tenure, from the first observed to a year after the last."""
    seen = {int(row["period"]): (int(row["at_risk"]), int(row["churned"])) for row in rows}
    first, last = min(seen), max(seen)
    whole = [t for t in range(first, last + 1) if all(u in seen for u in range(first, t + 1))]
    at_risk, churned = zip(*(seen[t] for t in whole), strict=True)
    curve = kaplan_meier.curve(whole, at_risk, churned)
    estimated = zip(curve.survival, curve.standard_error, curve.lower, curve.upper, strict=True)
    projected = math.nan
    for t, known in zip(whole, estimated, strict=True):
        projected = float(known[0])
        yield (t, *seen[t], first - 1, *map(float, known), projected, "kaplan_meier")
    beyond = np.arange(whole[-1] + 1, last + ahead + 1)
    renewing = sbg.retention(model, beyond) if model.parameters else np.full(beyond.size, math.nan)
    nothing = (math.nan,) * 4
    for t, share in zip(beyond.tolist(), renewing.tolist(), strict=True):
        # Nobody is left of nobody, whatever the model.
        projected = 0.0 if projected == 0 else projected * share
        yield (t, *seen.get(t, (0, 0)), first - 1, *nothing, projected, model.method)


def _day(value: Any) -> dt.date | None:
    """A day of numpy's as Python's; None for none."""
    day = np.datetime64(value, "D").astype(object)
    return day if isinstance(day, dt.date) else None


def _of(counts: Columns, sample: str, segment: str) -> Columns:
    """The renewals of a segment, or of all plans of a billing period."""
    kept = (counts["sample"] == sample) & _is_of(counts, segment)
    return _where(counts, kept)


def _held(held: Columns, segment: str) -> Columns:
    return _where(held, _is_of(held, segment))


def _is_of(columns: Columns, segment: str) -> np.ndarray[Any, Any]:
    pools = {pool_name(each): each for each in PERIODS_A_YEAR}
    key, value = ("billing_period", pools[segment]) if segment in pools else ("segment", segment)
    return np.asarray(columns[key] == value)


def _where(columns: Columns, kept: np.ndarray[Any, Any]) -> Columns:
    return {name: values[kept] for name, values in columns.items()}
