"""Who is likely to churn: logistic regression with a weak prior, and its recalibration.

Holds the fit and the score. The coefficients are on the covariates' own scale, so that SQL scores
a customer by 1 / (1 + exp(−(intercept + Σ coefficient · covariate))). How well a score does on
customers it has not seen is holdout.py's business.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, logit

from orchestration.estimators.fit import LEVEL, Fit, Parameter, normal_quantile
from orchestration.estimators.inputs import Array, require, require_counts, vectors

METHOD = "logistic"
FALLBACK = "base_rate"
INTERCEPT = "intercept"
# The prior of a coefficient per standard deviation of its covariate: normal around 0 with this
# standard deviation. Odds that differ 12-fold between customers a deviation apart are one prior
# deviation away: what it rules out is infinity.
PRIOR_DEVIATION = 2.5
# Churned, and also stayed, for each covariate.
NEEDED_EACH = 10
STEPS = 50
# Rows that are summed at a time.
BLOCK = 4096


@dataclass(frozen=True)
class Score(Fit):
    """A fit whose parameters are an intercept and one coefficient for each covariate.

    Attributes:
        means: Of the covariates over the customers fitted on, shape (k,): coefficient ·
            (covariate − mean) is what a covariate adds to a customer's log-odds.
        deviations: Their standard deviations, shape (k,).
    """

    means: Array
    deviations: Array

    @property
    def coefficients(self) -> Array:
        """Of the covariates in their own units, shape (k,)."""
        return np.array([parameter.value for parameter in self.parameters[1:]])


def fit(
    names: Sequence[str],
    covariates: ArrayLike,
    churned: ArrayLike,
    count: ArrayLike = 1.0,
    start: Score | None = None,
) -> Score:
    """Penalised maximum likelihood of the log-odds of churn, by Newton's method.

    The covariates are standardised; the intercept is free; each coefficient has a normal prior
    with standard deviation PRIOR_DEVIATION (weakly informative, after Gelman, Jakulin, Pittau &
    Su, *Annals of Applied Statistics* 2, 2008; a ridge penalty, le Cessie & van Houwelingen,
    *Applied Statistics* 41, 1992), so that the maximum exists and is one even where covariates
    repeat each other or separate the churned from the rest. Covariances are the inverse of the
    penalised information. The mean of the scores equals the share that churned.

    Args:
        names: Of the k covariates.
        covariates: Values, shape (m, k): a row a customer, or a distinct combination.
        churned: Customers of the row that churned, shape (m,).
        count: Customers of the row, shape (m,).
        start: A score of the same covariates, from which the search sets out: that of nearly the
            same customers halves the time. There is one maximum, wherever it begins.

    Returns:
        Method "logistic", log-likelihood without the penalty, n in customers; a covariate that
        never varies has coefficient 0. Or "base_rate", where everybody's score is the share that
        churned, when there are fewer than NEEDED_EACH churned or stayed for each covariate
        (Peduzzi et al., *J. Clinical Epidemiology* 49, 1996).

    Raises:
        ValueError: Shapes do not match, a name is repeated, a value is missing, or more churned
            than there were.
    """
    x = _matrix(names, covariates)
    lost, customers = vectors(churned=churned, count=count)
    if len(x) != lost.size:
        raise ValueError(
            f"{len(x)} rows of covariates for {lost.size} of churned: give one row for each."
        )
    require_counts(churned=lost, count=customers)
    require(lost <= customers, "more churned than there were", "count both alike", lost, customers)
    n = float(customers.sum())
    safe = max(n, 1.0)
    means = customers @ x / safe
    design = np.ones((len(x), len(means) + 1))
    centred = np.subtract(x, means, out=design[:, 1:])
    deviations = np.sqrt(np.einsum("i,ij,ij->j", customers, centred, centred) / safe)
    varies = deviations > 1e-9 * np.maximum(np.abs(means), 1e-300)
    rarer, needed = min(lost.sum(), n - lost.sum()), NEEDED_EACH * max(int(varies.sum()), 1)
    if rarer < needed:
        reason = f"{rarer:g} churned or stayed where {needed} are needed"
        return _base_rate(names, means, deviations, float(lost.sum()), n, reason)
    centred /= np.where(varies, deviations, 1.0)
    if not varies.all():
        design = design[:, [True, *varies]]
    begin = None
    if start is not None:
        slopes = start.coefficients[varies]
        begin = np.array([start[INTERCEPT] + slopes @ means[varies], *slopes * deviations[varies]])
    found = _newton(design, lost, customers, PRIOR_DEVIATION**-2, begin)
    if found is None:
        reason = "the likelihood has no maximum"
        return _base_rate(names, means, deviations, float(lost.sum()), n, reason)
    return _in_own_units(names, found, means, deviations, varies, n)


def _matrix(names: Sequence[str], covariates: ArrayLike) -> Array:
    x = np.asarray(covariates, dtype=np.float64)
    if x.ndim != 2 or x.shape[1] != len(names) or len({INTERCEPT, *names}) != len(names) + 1:
        raise ValueError(
            f"{len(names)} names and covariates of shape {x.shape}: give one column for each "
            f"name, shape (m, {len(names)}), and each name once; {INTERCEPT} is added here."
        )
    for name, column in zip(names, x.T, strict=True):
        require(np.isfinite(column), f"{name} is null or infinite", "fill it in or leave it out")
    return x


def _newton(
    design: Array, events: Array, count: Array, penalty: float, start: Array | None = None
) -> tuple[Array, Array, float] | None:
    """Coefficients, their covariance and the log-likelihood; None without a maximum.

    The first column of the design is not penalised. Without a start the search begins where
    everybody has the same odds.
    """
    ridge = np.diag([0.0, *[penalty] * (design.shape[1] - 1)])
    beta = start
    if beta is None:
        beta = np.zeros(design.shape[1])
        beta[0] = logit(events.sum() / count.sum())
    odds = design @ beta
    value = _log_likelihood(odds, events, count) - beta @ ridge @ beta / 2
    for _ in range(STEPS):
        gradient, information = _slopes(design, odds, events, count)
        gradient, information = gradient - ridge @ beta, information + ridge
        try:
            step = np.linalg.solve(information, gradient)
        except np.linalg.LinAlgError:
            return None
        if gradient @ step < 1e-10:
            log_likelihood = float(value + beta @ ridge @ beta / 2)
            covariance = np.asarray(np.linalg.inv(information), np.float64)
            return beta + step, covariance, log_likelihood
        # The log-likelihood is concave: some part of the step always climbs.
        for _ in range(30):
            reached = beta + step
            odds = design @ reached
            climbed = _log_likelihood(odds, events, count) - reached @ ridge @ reached / 2
            if climbed >= value - 1e-12 * abs(value):
                break
            step = step / 2
        beta, value = reached, climbed
    return None


def _slopes(design: Array, odds: Array, events: Array, count: Array) -> tuple[Array, Array]:
    """Gradient and information of the log-likelihood, summed over blocks of rows.

    A block stays in the processor's cache from its odds to its sums: all rows at once take two to
    three times as long.
    """
    k = design.shape[1]
    gradient, information = np.zeros(k), np.zeros((k, k))
    for first in range(0, len(design), BLOCK):
        rows = slice(first, first + BLOCK)
        p = expit(odds[rows])
        gradient += design[rows].T @ (events[rows] - count[rows] * p)
        # A product of a matrix with itself: half the work of one with another.
        scaled = design[rows] * np.sqrt(count[rows] * p * (1 - p))[:, None]
        information += scaled.T @ scaled
    return gradient, information


def _log_likelihood(odds: Array, events: Array, count: Array) -> float:
    # log(1 + exp(odds)), by two functions that numpy runs on several numbers at a time.
    staying = np.maximum(odds, 0) + np.log1p(np.exp(-np.abs(odds)))
    return float(events @ odds - count @ staying)


def _in_own_units(
    names: Sequence[str],
    found: tuple[Array, Array, float],
    means: Array,
    deviations: Array,
    varies: np.ndarray,
    n: float,
) -> Score:
    standardised, spread, log_likelihood = found
    kept = np.flatnonzero(varies)
    # own = back @ standardised, where the intercept takes up the means.
    back = np.zeros((len(names) + 1, kept.size + 1))
    back[0, 0] = 1.0
    back[kept + 1, np.arange(kept.size) + 1] = 1 / deviations[kept]
    back[0, 1:] = -means[kept] / deviations[kept]
    values, covariance = back @ standardised, back @ spread @ back.T
    still = [name for name, moves in zip(names, varies, strict=True) if not moves]
    return Score(
        method=METHOD,
        reason=f"{', '.join(still)} never varies" if still else "",
        parameters=_parameters((INTERCEPT, *names), values, covariance),
        covariance=covariance,
        log_likelihood=log_likelihood,
        n=n,
        converged=True,
        means=means,
        deviations=deviations,
    )


def _parameters(names: Sequence[str], values: Array, covariance: Array) -> tuple[Parameter, ...]:
    errors = np.sqrt(np.diag(covariance))
    width = normal_quantile(LEVEL) * errors
    return tuple(
        Parameter(name, float(value), float(error), float(value - w), float(value + w))
        for name, value, error, w in zip(names, values, errors, width, strict=True)
    )


def _base_rate(
    names: Sequence[str], means: Array, deviations: Array, churned: float, n: float, reason: str
) -> Score:
    # Half a churn in a whole customer more (Jeffreys): a share of 0 or 1 has no log-odds.
    share = (churned + 0.5) / (n + 1)
    values = np.array([logit(share), *np.zeros(len(names))])
    covariance = np.zeros((values.size, values.size))
    covariance[0, 0] = 1 / ((n + 1) * share * (1 - share))
    return Score(
        method=FALLBACK,
        reason=reason,
        parameters=_parameters((INTERCEPT, *names), values, covariance),
        covariance=covariance,
        log_likelihood=churned * math.log(share) + (n - churned) * math.log1p(-share),
        n=n,
        converged=False,
        means=means,
        deviations=deviations,
    )


def probability(score: Score, covariates: ArrayLike) -> Array:
    """Probability of churn: what SQL computes from the same coefficients.

    Args:
        score: Of `fit` or `recalibrated`.
        covariates: In the order and units of the fit, shape (m, k).

    Returns:
        Probabilities, shape (m,).

    Raises:
        ValueError: Shapes do not match or a value is missing.
    """
    names = [parameter.name for parameter in score.parameters[1:]]
    x = _matrix(names, covariates)
    return np.asarray(expit(score[INTERCEPT] + x @ score.coefficients))


def calibration_line(
    chance: ArrayLike, churned: ArrayLike, count: ArrayLike = 1.0
) -> tuple[Parameter, Parameter, bool]:
    """The line from the log-odds a score gives to those that came true, by logistic regression.

    logit P(churn) = intercept + slope · logit(score) (Cox, *Biometrika* 45, 1958): 0 and 1 when
    the score says what happens; a slope below 1 means that it exaggerates.

    Args:
        chance: The score's probabilities, between 0 and 1, shape (m,).
        churned: Customers of the row that churned, shape (m,).
        count: Customers of the row, shape (m,).

    Returns:
        Intercept, slope, and whether there is such a line: there is none (NaN) when nobody or
        everybody churned, when the score never varies, and when it separates the two.

    Raises:
        ValueError: A probability is not between 0 and 1, or more churned than there were.
    """
    p, lost, customers = vectors(chance=chance, churned=churned, count=count)
    require_counts(churned=lost, count=customers)
    require((p > 0) & (p < 1), "chance is not between 0 and 1", "give the score's own", p)
    require(lost <= customers, "more churned than there were", "count both alike", lost, customers)
    odds = logit(p)
    gone, stayed = odds[lost > 0], odds[lost < customers]
    found = None
    if gone.size and stayed.size and gone.min() < stayed.max() and stayed.min() < gone.max():
        found = _newton(np.column_stack([np.ones(odds.size), odds]), lost, customers, 0.0)
    if found is None:
        return Parameter(INTERCEPT, math.nan), Parameter("slope", math.nan), False
    intercept, slope = _parameters((INTERCEPT, "slope"), found[0], found[1])
    return intercept, slope, True


def recalibrated(score: Score, intercept: float, slope: float) -> Score:
    """The score with its log-odds put on a line (Platt 1999, on log-odds).

    The line should come from customers that the score was not fitted on, and the recalibrated
    score be judged on others still.

    Args:
        score: Of `fit`.
        intercept: Of `calibration_line`.
        slope: Of `calibration_line`.

    Returns:
        A score whose method ends in "_recalibrated"; its covariance scaled with the slope, its
        log-likelihood unknown.

    Raises:
        ValueError: The slope is not above 0: such a line would turn the ranking round.
    """
    if not slope > 0:
        raise ValueError(
            f"A slope of {slope:g} would turn the ranking round or flatten it: leave the score as "
            "it is, and look for what went wrong between fitting and hold-out."
        )
    values = slope * np.array([score[INTERCEPT], *score.coefficients])
    values[0] += intercept
    covariance = slope**2 * score.covariance
    return replace(
        score,
        method=f"{score.method}_recalibrated",
        parameters=_parameters(tuple(score.values), values, covariance),
        covariance=covariance,
        log_likelihood=math.nan,
    )
