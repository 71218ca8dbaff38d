"""What an initiative did: difference in differences, with errors clustered by customer.

Marianne Bertrand, Esther Duflo and Sendhil Mullainathan, "How much should we trust
differences-in-differences estimates?", *Quarterly Journal of Economics* 119(1), 2004: a customer's
outcomes of several periods are not independent, so the errors are clustered by customer.

Every number is a contrast of the means of cells (period × treated or control). A customer's score
is the sum of weight × (outcome − mean of its cell) over his outcomes; the variance is the sum of
the squared scores × G / (G − 1) for G customers.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
LEVEL = 0.95
SIGNIFICANT = 0.05
FEWEST_CUSTOMERS = 50
FEWEST_BEFORE, FEWEST_AFTER = 2, 1


@dataclass(frozen=True)
class Outcomes:
    """Outcomes of customers by period, an element of each array for each customer and period.

    Attributes:
        customer: Number of the customer, counted from 0; the same in all his periods.
        period: Number of the period: below 0 before the start, from 0 on after it.
        is_treated: Whether the customer is treated.
        value: The outcome.
    """

    customer: Integers
    period: Integers
    is_treated: npt.NDArray[np.bool_]
    value: Floats


@dataclass(frozen=True)
class Contrast:
    """A weighted difference of means; NaN where there is none to tell.

    Attributes:
        value: The difference.
        standard_error: Its standard error, clustered by customer.
        lower: Lower end of the 95 % interval (t with clusters − 1 degrees of freedom).
        upper: Upper end.
        p: Two-sided p-value of no difference.
    """

    value: float = math.nan
    standard_error: float = math.nan
    lower: float = math.nan
    upper: float = math.nan
    p: float = math.nan

    @property
    def holds_zero(self) -> bool:
        """Whether no difference at all is possible."""
        return self.lower <= 0 <= self.upper


@dataclass(frozen=True)
class Effect:
    """What an initiative did, and what speaks for believing it.

    Attributes:
        effect: Change of the treated less change of the control.
        pre_trend: Change per period of the gap between them before the start.
        placebo: The same as the effect with a start amid the periods before.
        treated_customers: Customers treated, of the periods that both groups have if there are any.
        control_customers: Customers in the control, likewise.
        treated_periods: Customer-periods of the treated after the start.
        before: Whole periods before the start that both groups have.
        after: Whole periods after it.
        is_shown: Whether an effect is shown.
        reason: Why not; empty when it is.
    """

    effect: Contrast
    pre_trend: Contrast
    placebo: Contrast
    treated_customers: int
    control_customers: int
    treated_periods: int
    before: int
    after: int
    is_shown: bool
    reason: str


def estimate(outcomes: Outcomes) -> Effect:
    """The effect on the treated, its checks and the verdict.

    Every period counts alike: the gap between treated and control is taken period by period, so
    that what happened to both at a time does not count, whatever became of the numbers of each.
    """
    treated, control = _customers(outcomes)
    outcomes = _of_both(outcomes)
    periods = np.unique(outcomes.period)
    before, after = periods[periods < 0], periods[periods >= 0]
    if len(periods):
        # Who has outcomes in no period that counts is not compared.
        treated, control = _customers(outcomes)
    effect = pre_trend = placebo = Contrast()
    if len(before) and len(after):
        effect = contrast(outcomes, {**_mean(after, 1.0), **_mean(before, -1.0)})
    if len(before) >= FEWEST_BEFORE:
        away = before - before.mean()
        slope = away / np.sum(away**2)
        pre_trend = contrast(
            outcomes, {int(p): float(w) for p, w in zip(before, slope, strict=True)}
        )
        half = len(before) // 2
        placebo = contrast(
            outcomes, {**_mean(before[-half:], 1.0), **_mean(before[: len(before) - half], -1.0)}
        )
    reason = _doubt(effect, pre_trend, placebo, (treated, control), len(before), len(after))
    return Effect(
        effect,
        pre_trend,
        placebo,
        treated,
        control,
        int(np.sum(outcomes.is_treated & (outcomes.period >= 0))),
        len(before),
        len(after),
        not reason,
        reason,
    )


def contrast(outcomes: Outcomes, weights: Mapping[int, float]) -> Contrast:
    """The weighted sum over periods of the mean of the treated less that of the control.

    Args:
        outcomes: The outcomes; each period weighed must have some of both groups.
        weights: Weight of a period's gap, by the period's number; others do not count.
    """
    periods = np.array(sorted(weights))
    of_period = np.array([weights[int(when)] for when in periods])
    counted = np.isin(outcomes.period, periods)
    values = outcomes.value[counted]
    place = np.searchsorted(periods, outcomes.period[counted])
    is_treated = outcomes.is_treated[counted]
    cell = 2 * place + is_treated
    counts = np.bincount(cell)
    means = np.bincount(cell, values) / counts
    own = of_period[place]
    weight = np.where(is_treated, own, -own) / counts[cell]
    customer = outcomes.customer[counted]
    scores = np.bincount(customer, weight * (values - means[cell]))
    clusters = _different(customer)
    # From the means: two groups that are alike differ by nothing, and not by a rounding of it.
    gaps = means[1::2] - means[::2]
    value = float(sum(of_period * gaps))
    if clusters < 2:
        return Contrast(value)
    error = math.sqrt(float(np.sum(scores**2)) * clusters / (clusters - 1))
    half = float(stats.t.ppf((1 + LEVEL) / 2, clusters - 1)) * error
    p = float(2 * stats.t.sf(abs(value) / error, clusters - 1)) if error else float(value == 0)
    return Contrast(value, error, value - half, value + half, p)


def _of_both(outcomes: Outcomes) -> Outcomes:
    """The outcomes of the periods that have some of both groups."""
    common = np.intersect1d(
        outcomes.period[outcomes.is_treated], outcomes.period[~outcomes.is_treated]
    )
    kept = np.isin(outcomes.period, common)
    return Outcomes(
        outcomes.customer[kept],
        outcomes.period[kept],
        outcomes.is_treated[kept],
        outcomes.value[kept],
    )


def _customers(outcomes: Outcomes) -> tuple[int, int]:
    """How many customers are treated, and how many are in the control."""
    return (
        _different(outcomes.customer[outcomes.is_treated]),
        _different(outcomes.customer[~outcomes.is_treated]),
    )


def _different(customer: Integers) -> int:
    """How many customers the numbers are of."""
    return int(np.count_nonzero(np.bincount(customer)))


def _mean(periods: Integers, sign: float) -> dict[int, float]:
    return {int(period): sign / len(periods) for period in periods}


def _doubt(
    effect: Contrast,
    pre_trend: Contrast,
    placebo: Contrast,
    customers: tuple[int, int],
    before: int,
    after: int,
) -> str:
    """Why the effect is not shown; empty when it is."""
    if min(customers) < FEWEST_CUSTOMERS:
        return (
            f"{customers[0]:,} treated and {customers[1]:,} control customers have outcomes; it "
            f"takes {FEWEST_CUSTOMERS} of each"
        )
    if before == after == 0:
        return "no whole period has outcomes of both groups"
    if after < FEWEST_AFTER:
        return "no whole period has passed since it started"
    if before < FEWEST_BEFORE:
        return f"{before} whole periods before it are known; it takes {FEWEST_BEFORE}"
    if effect.holds_zero:
        return "the interval holds 0: chance alone would do it"
    if pre_trend.p < SIGNIFICANT:
        return "the groups had already been drifting apart before it started"
    if not placebo.holds_zero:
        return "a start at which nothing happened shows an effect too"
    return ""
