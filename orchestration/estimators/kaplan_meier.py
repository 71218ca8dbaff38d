"""Retention without a model: the Kaplan–Meier curve and its interval.

Holds how customers are counted by the time they were at risk, and the curve of those counts
(Kaplan & Meier, *JASA* 53, 1958). Carrying a curve beyond what was seen is sbg.py's business.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from orchestration.estimators.fit import LEVEL, normal_quantile
from orchestration.estimators.inputs import Array, require, require_counts, vectors


@dataclass(frozen=True)
class Curve:
    """A survival curve, one entry for each time at which somebody was at risk.

    Attributes:
        time: Ascending, shape (k,).
        at_risk: Customers at risk just before it, shape (k,).
        churned: Those of them who churned at it, shape (k,).
        survival: Share that outlives it, S(t), shape (k,).
        standard_error: Greenwood's, shape (k,); NaN once S is 0.
        lower: Lower end of the interval, shape (k,); NaN while S is 1 and once it is 0, where
            Greenwood's formula knows of no uncertainty.
        upper: Upper end.
    """

    time: Array
    at_risk: Array
    churned: Array
    survival: Array
    standard_error: Array
    lower: Array
    upper: Array


def risk_table(
    tenure: ArrayLike, is_churned: ArrayLike, count: ArrayLike = 1.0, entry: ArrayLike = 0.0
) -> tuple[Array, Array, Array]:
    """Customers counted by the time they were at risk.

    At risk at a time t is who has entered before t and has stayed until t: entry < t ≤ tenure.
    Who is still active at a time is at risk there (censored after the churns of the same time).
    A customer whose history begins mid-life enters at the tenure he then had (left truncation):
    before that he could not have been seen to churn.

    Args:
        tenure: Age at churn, or at the end of observation, shape (m,).
        is_churned: 1 where it ended in churn, 0 where the customer is still active, shape (m,).
        count: Customers each row stands for, shape (m,).
        entry: Age at which observation began, 0 ≤ entry ≤ tenure, shape (m,).

    Returns:
        time, at_risk and churned, shape (k,) each, at the distinct tenures above 0 with
        somebody at risk.

    Raises:
        ValueError: A tenure, entry or count is negative, an entry lies after the tenure, a churn
            does not lie after the entry, or is_churned is neither 0 nor 1.
    """
    end, churned, customers, start = vectors(
        tenure=tenure, is_churned=is_churned, count=count, entry=entry
    )
    require_counts(count=customers, tenure=end, entry=start)
    require((churned == 0) | (churned == 1), "is_churned is neither 0 nor 1", "flag it", churned)
    require(
        (start < end) | ((churned == 0) & (start == end)),
        "a customer was not observed before the end of his tenure",
        "leave out who churned before observation began; measure tenure and entry from one start",
        start,
        end,
    )
    time = np.unique(end[(end > 0) & (customers > 0)])
    at_risk = _from(time, end, customers) - _from(time, start, customers)
    lost = np.zeros(time.size)
    gone = (churned == 1) & (customers > 0)
    np.add.at(lost, np.searchsorted(time, end[gone]), customers[gone])
    somebody = at_risk > 0
    return time[somebody], at_risk[somebody], lost[somebody]


def _from(time: Array, when: Array, count: Array) -> Array:
    """How many have their moment at each time or later."""
    order = np.argsort(when, kind="stable")
    later = np.append(np.cumsum(count[order][::-1])[::-1], 0.0)
    return np.asarray(later[np.searchsorted(when[order], time)])


def curve(time: ArrayLike, at_risk: ArrayLike, churned: ArrayLike, level: float = LEVEL) -> Curve:
    """The Kaplan–Meier curve with Greenwood's variance and log(−log) interval.

    S(t) = Π (1 − d/n) over times up to t; Var S = S²·Σ d/(n(n−d)) (Greenwood 1926); interval
    S^exp(± z·se/(S·|ln S|)) (Kalbfleisch & Prentice, *The Statistical Analysis of Failure Time
    Data*, 1980, §1.3), which stays between 0 and 1. It holds at each time by itself. With late
    entry the curve is that of a customer from its first time on; where few are at risk there it
    rests on them for good, so look at `at_risk`.

    Args:
        time: Times, each once, in any order, shape (m,).
        at_risk: n, customers at risk just before each, shape (m,).
        churned: d, of them churned at each, shape (m,).
        level: Share of samples whose interval should cover the truth.

    Returns:
        The curve at the times with somebody at risk, ascending.

    Raises:
        ValueError: A time is repeated, a count is negative, or more churned than were at risk.
    """
    t, n, d = vectors(time=time, at_risk=at_risk, churned=churned)
    require_counts(at_risk=n, churned=d)
    require(d <= n, "more customers churned than were at risk", "count both alike", t, n, d)
    order = np.argsort(t, kind="stable")
    order = order[n[order] > 0]
    t, n, d = t[order], n[order], d[order]
    require(np.diff(t, prepend=-np.inf) > 0, "a time is repeated", "add its counts up", t)
    survival = np.cumprod(1 - d / n)
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = np.sqrt(np.cumsum(d / (n * (n - d))))
        width = normal_quantile(level) * relative / np.abs(np.log(survival))
        error = survival * relative
        # Not a power: 1 to an unknown power would be known.
        limits = np.exp(np.log(survival) * np.exp(np.array([width, -width])))
    return Curve(t, n, d, *(np.asarray(each) for each in (survival, error, *limits)))
