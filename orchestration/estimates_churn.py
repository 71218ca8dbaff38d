"""Who will have left in 28 days: the fit of the score and of the rates it must beat, its hold-out.

Takes the examples of int_churn_examples, a row a subscriber and moment, and leaves coefficients;
int_churn_scores multiplies them. The statistics are `estimators.logistic` and `holdout`.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
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
    ordered,
    table,
)
from orchestration.estimators import holdout, logistic
from orchestration.estimators.fit import Fit, pooled, standing_in
from orchestration.estimators.inputs import Array
from orchestration.estimators.logistic import INTERCEPT, NEEDED_EACH, Score

SCORE, BASE_RATE = "churn", "churn_base_rate"
# The log-odds of leaving by plan, a covariate of its own: the score starts from what the plan says.
PLAN = "plan_log_odds"
# What a row of the examples is about; its other columns are covariates.
KEYS = (
    "sample",
    "customer_id",
    "moment_day",
    "plan",
    "fold",
    "has_left",
    "is_paused",
    "tenure_days",
    "judged_on",
)
FOLDS = 5
# On fewer who left, or stayed, a hold-out tells nothing.
NEEDED_TO_JUDGE = 20

# How a hold-out may have been chosen, by what int_churn_examples calls it.
LATER = "later_periods"
JUDGED_ON = {
    LATER: None,
    "other_customers": "too short a history to judge on later periods: judged on a fifth of the "
    "customers, whom the fit did not see",
}

Columns = Mapping[str, np.ndarray[Any, Any]]


def fit(examples: duckdb.DuckDBPyRelation) -> pa.Table:
    """The coefficients of the score and the base rates, of the current and calibration samples.

    Args:
        examples: Of int_churn_examples: KEYS, then the covariates, the most telling first.

    Returns:
        A table of FIT_COLUMNS. Estimator churn: intercept, plan_log_odds and coefficients.
        Estimator churn_base_rate, by plan and for everybody: the log-odds of leaving as
        `intercept`, which is both what the score must beat and its covariate plan_log_odds.
    """
    names = [name for name in examples.columns if name not in KEYS]
    listed = ", ".join(["sample", "plan", "fold", *names])
    counted = examples.filter(f"sample in ('{CURRENT}', '{CALIBRATION}')").aggregate(
        f"{listed}, count(*) as customers, count(*) filter (where has_left) as churned", listed
    )
    columns = ordered(counted)
    found: list[Estimated] = []
    for sample in (CURRENT, CALIBRATION):
        rows = columns["sample"] == sample
        own = {name: values[rows] for name, values in columns.items()}
        rates = base_rates(own["plan"], own["churned"], own["customers"])
        found += [Estimated(BASE_RATE, plan, sample, rate) for plan, rate in rates.items()]
        found.append(Estimated(SCORE, EVERYBODY, sample, score(own, rates, names)))
    return fit_table(found)


def base_rates(
    plan: np.ndarray[Any, Any], churned: np.ndarray[Any, Any], customers: np.ndarray[Any, Any]
) -> dict[str, Fit]:
    """Log-odds of leaving, by plan and of everybody; a plan where too few left has everybody's.

    Args:
        plan: Shape (m,).
        churned: Customers of the row that left, shape (m,).
        customers: Customers of the row, shape (m,).
    """
    if not customers.sum():
        return {EVERYBODY: standing_in("none", "no period is known to its end", 0.0)}
    rates = {EVERYBODY: _rate(churned, customers)}
    for each in sorted(set(plan)):
        rows = plan == each
        rates[str(each)] = pooled(_rate(churned[rows], customers[rows]), rates[EVERYBODY])
    return rates


def _rate(churned: np.ndarray[Any, Any], customers: np.ndarray[Any, Any]) -> Fit:
    everybody = logistic.fit([], np.empty((1, 0)), churned.sum(), customers.sum())
    return replace(everybody, method=logistic.FALLBACK)


def score(own: Columns, rates: Mapping[str, Fit], names: Sequence[str]) -> Fit:
    """The score: logistic regression on as many covariates as there are churned for, recalibrated.

    Covariates are taken in their stated order, the log-odds of the plan first, never by how well
    they do: a choice by the data would flatter the fit. The calibration line comes from scores
    of customers that were left out, a fifth at a time.

    Args:
        own: plan, fold, covariates, churned and customers of one sample, each of shape (m,).
        rates: Of `base_rates`.
        names: Of the covariates.
    """
    customers, churned = own["customers"], own["churned"]
    if not customers.sum():
        return rates[EVERYBODY]
    log_odds = {plan: rate[INTERCEPT] for plan, rate in rates.items()}
    by_plan = np.array([log_odds[plan] for plan in own["plan"]])
    values = {PLAN: by_plan} | {name: own[name] for name in names}
    # Each fit of `_recalibrated` leaves a fifth of the customers out and needs enough, too.
    parts = [own["fold"] != fold for fold in range(FOLDS)]
    rarer = min(min(churned[p].sum(), (customers - churned)[p].sum()) for p in parts)
    moving = [name for name in values if np.ptp(values[name]) > 0]
    # Only one, where even that is too many: the fit then says so.
    taken = moving[: max(int(rarer // NEEDED_EACH), 1)]
    matrix = np.column_stack([values[name] for name in taken] or [np.empty((len(churned), 0))])
    fitted = logistic.fit(taken, matrix, churned, customers)
    if not fitted.converged:
        return fitted
    left_out = [name for name in moving if name not in taken]
    if left_out:
        fitted = replace(fitted, reason=f"too few left to fit {', '.join(left_out)}")
    return _recalibrated(fitted, matrix, own)


def _recalibrated(fitted: Score, matrix: Array, own: Columns) -> Score:
    """The score on its calibration line; as it is, where a part of the customers gives none."""
    names = [parameter.name for parameter in fitted.parameters[1:]]
    churned, customers = own["churned"], own["customers"]
    chance = np.empty(len(churned))
    for fold in range(FOLDS):
        out = own["fold"] == fold
        if not out.any():
            continue
        others = logistic.fit(names, matrix[~out], churned[~out], customers[~out], fitted)
        chance[out] = logistic.probability(others, matrix[out])
    intercept, slope, is_line = logistic.calibration_line(
        np.clip(chance, 1e-9, 1 - 1e-9), churned, customers
    )
    if not is_line or not 0 < slope.value < math.inf:
        return fitted
    return logistic.recalibrated(fitted, intercept.value, slope.value)


def quality(
    scores: duckdb.DuckDBPyRelation,
    fits: duckdb.DuckDBPyRelation,
    calibration: duckdb.DuckDBPyRelation,
) -> pa.Table:
    """How the score of the calibration sample does on the hold-out, beside the plan's base rate.

    Args:
        scores: Of int_churn_scores.
        fits: Of `fit`.
        calibration: Of int_calibration.

    Returns:
        A table of QUALITY_COLUMNS, a row a measure. The score is used where its Brier score is
        below that of the plan's base rate and it ranks no worse; else `reason` says why not.
    """
    held = scores.filter("sample = 'holdout' and score_probability is not null").aggregate(
        "judged_on, score_probability, plan_probability, count(*) as customers, "
        "count(*) filter (where has_left) as churned",
        "judged_on, score_probability, plan_probability",
    )
    columns = ordered(held)
    methods = dict(
        fits.filter(f"estimator = '{SCORE}'").project("sample, method").distinct().fetchall()
    )
    ends = calibration.project("calibration_end, holdout_end").fetchall()
    [(calibration_end, holdout_end)] = ends
    judged_on = str(columns["judged_on"][0]) if len(columns["judged_on"]) else LATER
    measures, reason, is_used = _judged(columns, methods)
    if judged_on != LATER:
        calibration_end = None
        reason = "; ".join(filter(None, [JUDGED_ON.get(judged_on), reason]))
    n = float(np.sum(columns["customers"]))
    rows = [
        (SCORE, EVERYBODY, measure, value, naive, n)
        + (calibration_end, holdout_end, is_used, reason or None)
        for measure, value, naive in measures
    ]
    return table(QUALITY_COLUMNS, rows)


def _judged(
    columns: Columns, methods: Mapping[str, str]
) -> tuple[list[tuple[str, float, float]], str, bool]:
    """Measure, value and naive value; why the score is not used; whether it is."""
    churned, customers = columns["churned"], columns["customers"]
    nothing = [(name, math.nan, math.nan) for name in _MEASURES]
    rarer = float(min(churned.sum(), (customers - churned).sum())) if len(churned) else 0.0
    if rarer < NEEDED_TO_JUDGE:
        reason = f"{rarer:g} left or stayed in the hold-out where {NEEDED_TO_JUDGE} are needed"
        return nothing, reason, False
    if not methods.get(CALIBRATION, "").startswith(logistic.METHOD):
        return nothing, "too few left to fit a score that could be held out", False
    naive = columns["plan_probability"]
    by_plan = holdout.brier(naive, churned, customers)
    told = holdout.quality(columns["score_probability"], churned, 0.5, customers)
    naive_auc = holdout.auc(naive, churned, customers)
    skill = 1 - told.brier / by_plan
    measures = [
        ("auc", told.auc, naive_auc),
        ("brier", told.brier, by_plan),
        ("brier_skill", skill, 0.0),
        ("calibration_slope", told.calibration_slope, math.nan),
    ]
    if not (skill > 0 and told.auc >= naive_auc):
        return measures, "no better than the base rate of the plan", False
    if not methods.get(CURRENT, "").startswith(logistic.METHOD):
        return measures, "too few left to fit the score", False
    return measures, "", True


_MEASURES = ("auc", "brier", "brier_skill", "calibration_slope")
