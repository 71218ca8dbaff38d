"""Retention of contracts that renew: the shifted-beta-geometric model (sBG).

Holds the fit, the curves and the discounted residual lifetime of Fader & Hardie, "How to Project
Customer Retention", *Journal of Interactive Marketing* 21(1), 2007 (here: 2007), and
"Customer-Base Valuation in a Contractual Setting", *Marketing Science* 29(1), 2010 (here: 2010).
Time is counted in contract periods. What a period earns is not this module's business; the curve
that assumes no model is kaplan_meier.py's.
"""

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betaln

from orchestration.estimators.fit import Fit, Parameter, fitted, maximise, normal_quantile
from orchestration.estimators.inputs import (
    Array,
    require,
    require_between,
    require_counts,
    summed,
    too_few,
    vectors,
)

METHOD = "sbg"
FALLBACK = "constant_hazard"
# Two parameters that are to carry a curve far beyond the data want more than its first steps.
NEEDED = {"customers": 100.0, "churned": 30.0, "periods": 3.0}
# With a beta of this size churn of a tenth of the periods differs by a tenth of itself at most.
ALIKE = 1000.0
# What is left of a sum after the terms that are dropped, relative to it.
REMAINDER = 1e-14


def fit(period: ArrayLike, at_risk: ArrayLike, churned: ArrayLike) -> Fit:
    """The sBG's maximum likelihood for customers counted by the period they were in.

    The likelihood is written as a product of hazards, α/(α+β+t−1) for churn at renewal t (2007,
    eq. 7 and 8, 1 − r_t), so that only counts by period are needed: customers who are still
    active leave the risk set without having churned (right censoring), those whose history
    begins late enter it late (left truncation), and cohorts add up. For one cohort from its
    start it is the likelihood of 2007, appendix B: Σ d_t ln P(T=t) + n_alive ln S(T).

    Args:
        period: Renewal opportunities 1, 2, …, shape (m,); repeated ones are added up.
        at_risk: Customers who came up for renewal then, shape (m,).
        churned: Those of them who did not renew, shape (m,).

    Returns:
        Method "sbg" with alpha and beta, n in customer-periods; or "constant_hazard" with
        hazard, Σ churned/Σ at risk, shrunk by Jeffreys' half a churn in a whole
        customer-period, when there is less than NEEDED, and when the likelihood has no
        maximum inside the range searched: at its upper end customers are all alike, which *is*
        a constant hazard.

    Raises:
        ValueError: A period is not a whole number from 1 up, or more churned than were at risk.
    """
    periods, risk, lost = vectors(period=period, at_risk=at_risk, churned=churned)
    require_counts(at_risk=risk, churned=lost)
    require(
        (periods >= 1) & (periods == np.floor(periods)),
        "period is not a whole number from 1 up",
        "count renewal opportunities, the first is 1",
        periods,
    )
    require(
        lost <= risk,
        "more customers churned than were at risk",
        "count as at risk everyone who came up for renewal, churned or not",
        risk,
        lost,
    )
    distinct, index = np.unique(periods, return_inverse=True)
    risk, lost = (summed(index, counts, distinct.size) for counts in (risk, lost))
    found = {
        "customers": float(risk.max(initial=0.0)),
        "churned": float(lost.sum()),
        "periods": float(np.count_nonzero(risk)),
    }
    if lacking := too_few(found, NEEDED):
        return constant_hazard(risk, lost, lacking)
    return _maximum(distinct, risk, lost)


def _maximum(period: Array, at_risk: Array, churned: Array) -> Fit:
    lost, kept, total = churned.sum(), at_risk - churned, at_risk.sum()

    def log_likelihood(point: Array) -> tuple[float, Array]:
        alpha, beta = np.exp(point)
        staying, both = beta + period - 1, alpha + beta + period - 1
        value = lost * math.log(alpha) + kept @ np.log(staying) - at_risk @ np.log(both)
        shared = at_risk @ (1 / both)
        gradient = np.array([lost / alpha - shared, kept @ (1 / staying) - shared])
        return float(value), gradient * (alpha, beta)

    share = lost / total
    starts = [(share * size, (1 - share) * size + 1e-9) for size in (0.5, 3.0, 30.0)]
    optimum = maximise(log_likelihood, starts, float(total))
    found = fitted(METHOD, ("alpha", "beta"), optimum, float(total))
    if found.converged and not found.reason:
        return found
    if found["beta"] > ALIKE:
        return constant_hazard(at_risk, churned, "customers look alike, which is a constant hazard")
    return constant_hazard(at_risk, churned, found.reason or "the likelihood has no maximum")


def constant_hazard(at_risk: Array, churned: Array, reason: str) -> Fit:
    """One hazard for every period, Σ churned/Σ at risk, shrunk as `fit` says.

    Args:
        at_risk: Customers who came up for renewal, shape (m,).
        churned: Those of them who did not renew, shape (m,).
        reason: Why not a model.

    Returns:
        Method "constant_hazard" with hazard, n in customer-periods.
    """
    total, lost = float(at_risk.sum()), float(churned.sum())
    hazard = (lost + 0.5) / (total + 1)
    error = math.sqrt(hazard * (1 - hazard) / (total + 1))
    width = math.exp(normal_quantile(0.95) * error / (hazard * (1 - hazard)))
    odds = hazard / (1 - hazard)
    lower, upper = (scaled / (1 + scaled) for scaled in (odds / width, odds * width))
    return Fit(
        method=FALLBACK,
        reason=reason,
        parameters=(Parameter("hazard", hazard, error, lower, upper),),
        covariance=np.array([[error**2]]),
        log_likelihood=lost * math.log(hazard) + (total - lost) * math.log1p(-hazard),
        n=total,
        converged=False,
    )


def retention(fit: Fit, period: ArrayLike) -> Array:
    """Share of those who came up for renewal in a period that renew (2007, eq. 8).

    r_t = (β+t−1)/(α+β+t−1); 1 − hazard for a constant hazard.

    Args:
        fit: Of `fit`, or known parameters alpha and beta, or hazard.
        period: Renewal opportunities t = 1, 2, …, shape (m,).

    Returns:
        Shares between 0 and 1, shape (m,).

    Raises:
        ValueError: A period is below 1.
    """
    (t,) = vectors(period=period)
    require(t >= 1, "period is below 1", "count renewal opportunities, the first is 1", t)
    if "hazard" in fit:
        return np.full(t.shape, 1 - fit["hazard"])
    alpha, beta = fit["alpha"], fit["beta"]
    return np.asarray((beta + t - 1) / (alpha + beta + t - 1))


def survival(fit: Fit, tenure: ArrayLike) -> Array:
    """Share of a cohort that has made so many renewals (2007, eq. 6): B(α, β+t)/B(α, β).

    Args:
        fit: Of `fit`, or known parameters alpha and beta, or hazard.
        tenure: Renewals made, t = 0, 1, …, shape (m,).

    Returns:
        Shares between 0 and 1, shape (m,); 1 at tenure 0.

    Raises:
        ValueError: A tenure is negative.
    """
    (t,) = vectors(tenure=tenure)
    require(t >= 0, "tenure is negative", "count renewals made, from 0 up", t)
    if "hazard" in fit:
        return np.asarray((1 - fit["hazard"]) ** t)
    alpha, beta = fit["alpha"], fit["beta"]
    return np.asarray(np.exp(betaln(alpha, beta + t) - betaln(alpha, beta)))


def churn(fit: Fit, period: ArrayLike) -> Array:
    """Share of a cohort that churns in a period (2007, eq. 5): S(t−1) − S(t) = S(t−1)(1 − r_t).

    Args:
        fit: Of `fit`, or known parameters alpha and beta, or hazard.
        period: Renewal opportunities t = 1, 2, …, shape (m,).

    Returns:
        Shares between 0 and 1, shape (m,); they sum to 1 − S(t).

    Raises:
        ValueError: A period is below 1.
    """
    (t,) = vectors(period=period)
    renewing = retention(fit, t)
    return np.asarray(survival(fit, t - 1) * (1 - renewing))


def residual_lifetime(fit: Fit, period: ArrayLike, discount: float) -> Array:
    """Discounted expected residual lifetime (DERL) of an active customer (2010, eq. 6).

    The periods he is still expected to pay for, each discounted to his next renewal, which
    itself is not discounted. A customer in his n-th period has made n−1 renewals:
    DERL(n) = Σ_{t≥n} S(t)/S(n−1)·(1+d)^−(t−n) =
    (β+n−1)/(α+β+n−1)·₂F₁(1, β+n; α+β+n; 1/(1+d)). Summed backwards by
    DERL(n) = r_n·(1 + DERL(n+1)/(1+d)), which cannot lose digits. Undiscounted it is infinite
    for α ≤ 1, so there is no such thing here.

    Args:
        fit: Of `fit`, or known parameters alpha and beta, or hazard.
        period: Contract period n = 1, 2, … the customer is in, whole numbers, shape (m,).
        discount: d, for one contract period; e.g. (1 + .10)**(1/12) − 1 for a month.

    Returns:
        Expected discounted periods, shape (m,); more than 0, less than (1+d)/d.

    Raises:
        ValueError: A period is not a whole number from 1 up, or d is not between 1e-5 and 10.
    """
    (n,) = vectors(period=period)
    require(
        (n >= 1) & (n == np.floor(n)),
        "period is not a whole number from 1 up",
        "give the contract period the customer is in; a new customer is in 1",
        n,
    )
    require_between(1e-5, 10, discount=discount)
    last = int(n.max(initial=1))
    beyond = math.ceil(-math.log(REMAINDER) / math.log1p(discount))
    renewing = retention(fit, np.arange(1, last + beyond + 1))
    ahead = renewing[-1] / (1 - renewing[-1] / (1 + discount))
    lifetimes = np.empty(last)
    for index in range(last + beyond - 1, -1, -1):
        ahead = renewing[index] * (1 + ahead / (1 + discount))
        if index < last:
            lifetimes[index] = ahead
    return np.asarray(lifetimes[n.astype(np.int64) - 1])
