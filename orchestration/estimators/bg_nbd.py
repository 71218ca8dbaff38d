"""Purchases without a contract: the beta-geometric/NBD model (BG/NBD).

Holds the fit and the expectations of Fader, Hardie & Lee, "'Counting Your Customers' the Easy
Way", *Marketing Science* 24(2), 2005 (here: FHL). While alive a customer buys at random at a
rate of his own, gamma distributed (r, α); after each purchase he may stop for good with a
probability of his own, beta distributed (a, b). Time is in weeks since the first purchase. What a
purchase is worth is gamma_gamma.py's business.

A customer is three numbers: frequency x, the days after the first on which he bought; recency
t_x, weeks from the first to the last; age T, weeks from the first to the end of observation. What
they say about the future falls into two factors, of which the first is plain arithmetic and the
second needs no recency: expected purchases = P(alive | x, t_x, T) · expected purchases if
alive (x, T).
"""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import eigh_tridiagonal
from scipy.special import betaln, digamma, expit, gammaln, hyp2f1

from orchestration.estimators.fit import Fit, fitted, maximise, standing_in
from orchestration.estimators.inputs import (
    Array,
    require,
    require_counts,
    summed,
    too_few,
    vectors,
)

METHOD = "bg_nbd"
FALLBACK = "no_future"
NEEDED = {"customers": 100.0, "repeat customers": 30.0}
NAMES = ("r", "alpha", "a", "b")
WEEKS_A_YEAR = 52
# Of the quadrature that stands for a sum over weeks; 12 leave errors below 1e-9 of it.
NODES = 12
# The formulas have gaps at a = 1 and a + b + x = 1 that mean nothing; they are stepped over.
GAP = 1e-5


def fit(frequency: ArrayLike, recency: ArrayLike, age: ArrayLike, count: ArrayLike = 1.0) -> Fit:
    """The BG/NBD's maximum likelihood (FHL, section 4, eq. 6).

    Args:
        frequency: x, whole numbers from 0, shape (m,).
        recency: t_x in weeks, 0 < t_x ≤ T where x > 0, not read where x = 0, shape (m,).
        age: T in weeks, T ≥ 0, shape (m,).
        count: Customers each row stands for, shape (m,).

    Returns:
        Method "bg_nbd" with r, alpha (weeks), a and b, n in customers; or "no_future" without
        parameters when there is less than NEEDED or the likelihood has no maximum: then nothing
        is said about the future, and what is computed from it is NaN.

    Raises:
        ValueError: A row cannot be a customer; the message says which and why.
    """
    x, t_x, T, customers = _customers(frequency, recency, age, count)
    n = float(customers.sum())
    found = {"customers": n, "repeat customers": float(customers[x > 0].sum())}
    if lacking := too_few(found, NEEDED):
        return standing_in(FALLBACK, lacking, n)
    week = float(customers @ T / n)
    log_likelihood = _likelihood(x, t_x / week, T / week, customers)
    rate = float(customers @ x / n)
    starts = [
        (r, r / rate, a, b) for r, a, b in ((0.3, 0.8, 2.5), (1.0, 0.5, 5.0), (3.0, 2.0, 10.0))
    ]
    # A density in units of the mean age becomes one in weeks.
    optimum = maximise(log_likelihood, starts, n)
    scale, shift = np.array([1, week, 1, 1]), -rate * n * math.log(week)
    result = fitted(METHOD, NAMES, optimum, n, scale, shift)
    return result if result.converged else standing_in(FALLBACK, "the likelihood has no maximum", n)


def _customers(
    frequency: ArrayLike, recency: ArrayLike, age: ArrayLike, count: ArrayLike
) -> tuple[Array, Array, Array, Array]:
    x, t_x, T, customers = vectors(frequency=frequency, recency=recency, age=age, count=count)
    require_counts(count=customers)
    require(
        (x >= 0) & (x == np.floor(x)),
        "frequency is not a whole number from 0 up",
        "count the days with a purchase after the first",
        x,
    )
    require(
        T >= 0, "age is negative", "leave out customers whose first purchase is still to come", T
    )
    require(
        (x == 0) | ((t_x > 0) & (t_x <= T)),
        "recency of a repeat customer is not between 0 and his age",
        "measure recency and age from the first purchase, in weeks, to one as-of date",
        x,
        t_x,
        T,
    )
    return x, np.where(x > 0, t_x, 0.0), T, customers


def _likelihood(
    x: Array,
    t_x: Array,
    T: Array,
    count: Array,
) -> Callable[[Array], tuple[float, Array]]:
    """Log-likelihood and gradient at the logarithms of r, α, a, b.

    Terms of x alone and of T alone are summed over their distinct values; what is left for every
    row is one logarithm and one exponential, and only where x > 0.
    """
    xs, by_x = np.unique(x, return_inverse=True)
    ages, by_age = np.unique(T, return_inverse=True)
    n_x, n_age = summed(by_x, count, xs.size), summed(by_age, count, ages.size)
    x_age = summed(by_age, count * x, ages.size)
    n = count.sum()
    again = x > 0
    x, t_x, T, count, by_x = x[again], t_x[again], T[again], count[again], by_x[again]

    def log_likelihood(point: Array) -> tuple[float, Array]:
        r, alpha, a, b = np.exp(point)
        log_age = np.log(alpha + ages)
        log_gap = np.log1p((T - t_x) / (alpha + t_x))
        log_odds = (math.log(a) - np.log(b + xs - 1 + (xs == 0)))[by_x] + (r + x) * log_gap
        value = (
            n_x @ (gammaln(r + xs) - gammaln(r) + betaln(a, b + xs) - betaln(a, b))
            + n * r * math.log(alpha)
            - (r * n_age + x_age) @ log_age
            + count @ np.logaddexp(0, log_odds)
        )
        gone = count * expit(log_odds)
        both = digamma(a + b + xs)
        per_age = 1 / (alpha + ages)
        slopes = np.array(
            [
                n_x @ (digamma(r + xs) - digamma(r)) + n * math.log(alpha)
                - n_age @ log_age + gone @ log_gap,
                n * r / alpha - (r * n_age + x_age) @ per_age
                + (gone * (r + x)) @ (1 / (alpha + T) - 1 / (alpha + t_x)),
                n * digamma(a + b) - n_x @ both + gone.sum() / a,
                n_x @ (digamma(b + xs) - both) + n * (digamma(a + b) - digamma(b))
                - summed(by_x, gone, xs.size) @ (1 / (b + xs - 1 + (xs == 0))),
            ]
        )  # fmt: skip
        return float(value), slopes * (r, alpha, a, b)

    return log_likelihood


def log_likelihood(fit: Fit, frequency: ArrayLike, recency: ArrayLike, age: ArrayLike) -> Array:
    """Logarithm of the likelihood of each customer (FHL, eq. 6).

    L = Γ(r+x)α^r/Γ(r) · B(a,b+x)/B(a,b) · (α+T)^−(r+x) · (1 + odds of having stopped).

    Args:
        fit: Of `fit`, or known parameters r, alpha, a, b.
        frequency: x, shape (m,).
        recency: t_x in weeks, shape (m,).
        age: T in weeks, shape (m,).

    Returns:
        Log-likelihoods, shape (m,); NaN where the fit says nothing.

    Raises:
        ValueError: A row cannot be a customer.
    """
    x, t_x, T, _ = _customers(frequency, recency, age, 1.0)
    r, alpha, a, b = _parameters(fit)
    return np.asarray(
        gammaln(r + x) - gammaln(r) + r * math.log(alpha)
        + betaln(a, b + x) - betaln(a, b)
        - (r + x) * np.log(alpha + T)
        + np.logaddexp(0, _log_odds(fit, x, t_x, T))
    )  # fmt: skip


def _parameters(fit: Fit) -> tuple[float, float, float, float]:
    if fit.method == FALLBACK:
        return (math.nan,) * 4
    return fit["r"], fit["alpha"], fit["a"], fit["b"]


def _log_odds(fit: Fit, x: Array, t_x: Array, T: Array) -> Array:
    """Of having stopped at the last purchase; −∞ where there was no repeat purchase."""
    r, alpha, a, b = _parameters(fit)
    odds = math.log(a) - np.log(b + np.maximum(x, 1) - 1)
    odds = odds + (r + x) * np.log1p((T - t_x) / (alpha + t_x))
    return np.where(x > 0, odds, odds if math.isnan(a) else -math.inf)


def alive(fit: Fit, frequency: ArrayLike, recency: ArrayLike, age: ArrayLike) -> Array:
    """Probability that a customer has not stopped.

    1 / (1 + 1{x>0}·a/(b+x−1)·((α+T)/(α+t_x))^(r+x)), the factor in FHL's eq. 10. Without a
    repeat purchase it is 1: in this model a customer stops only after one.

    Args:
        fit: Of `fit`, or known parameters r, alpha, a, b.
        frequency: x, shape (m,).
        recency: t_x in weeks, shape (m,).
        age: T in weeks, shape (m,).

    Returns:
        Probabilities, shape (m,); NaN where the fit says nothing.

    Raises:
        ValueError: A row cannot be a customer.
    """
    x, t_x, T, _ = _customers(frequency, recency, age, 1.0)
    return np.asarray(expit(-_log_odds(fit, x, t_x, T)))


def expected_purchases(
    fit: Fit, frequency: ArrayLike, recency: ArrayLike, age: ArrayLike, weeks: ArrayLike
) -> Array:
    """Purchases expected in the next weeks: E[Y(t) | x, t_x, T] (FHL, eq. 10).

    Args:
        fit: Of `fit`, or known parameters r, alpha, a, b.
        frequency: x, shape (m,).
        recency: t_x in weeks, shape (m,).
        age: T in weeks, shape (m,).
        weeks: t ≥ 0, shape (m,) or one for all.

    Returns:
        Expected purchase days, shape (m,); NaN where the fit says nothing.

    Raises:
        ValueError: A row cannot be a customer, or weeks are negative.
    """
    if_alive = expected_purchases_if_alive(fit, frequency, age, weeks)
    return np.asarray(alive(fit, frequency, recency, age) * if_alive)


def expected_purchases_if_alive(
    fit: Fit, frequency: ArrayLike, age: ArrayLike, weeks: ArrayLike
) -> Array:
    """Purchases expected in the next weeks of a customer known not to have stopped.

    FHL's eq. 10 without its factor P(alive), with ₂F₁ by Euler's transformation (Abramowitz &
    Stegun 15.3.3), in which no term grows with x: with z = t/(α+T+t),
    (a+b+x−1)/(a−1) · [1 − (1−z)^(a−1) · ₂F₁(a+b−1−r, a−1; a+b+x−1; z)]. At x = 0, T = 0 it is
    the expectation of a new customer, E[X(t)] (FHL, eq. 9).

    Args:
        fit: Of `fit`, or known parameters r, alpha, a, b.
        frequency: x, shape (m,).
        age: T in weeks, shape (m,).
        weeks: t ≥ 0, shape (m,) or one for all.

    Returns:
        Expected purchase days, shape (m,); NaN where the fit says nothing.

    Raises:
        ValueError: A row cannot be a customer, or weeks are negative.
    """
    x, _, T, _ = _customers(frequency, age, age, 1.0)
    x, T, t = vectors(frequency=x, age=T, weeks=weeks)
    require(t >= 0, "weeks are negative", "ask for weeks ahead, from 0 up", t)
    return _if_alive(_parameters(fit), x, T, t)


def _if_alive(
    parameters: tuple[float, float, float, float],
    x: Array,
    T: Array,
    t: Array,
) -> Array:
    r, alpha, a, b = parameters
    if abs(a - 1) < GAP:
        around = [_if_alive((r, alpha, 1 + side * GAP, b), x, T, t) for side in (-2, 2)]
        return (around[0] + around[1]) / 2
    if abs(a + b - 1) < GAP:
        b += 2 * GAP * b
    z = t / (alpha + T + t)
    below = a + b + x - 1
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        kept = (1 - z) ** (a - 1) * hyp2f1(a + b - 1 - r, a - 1, below, z)
        # Where customers hardly ever buy twice (a in the hundreds) that is 0 times infinity; the
        # form as printed is not, but where r + x is in the hundreds too, and then nothing is left.
        lost = ~np.isfinite(kept)
        if lost.any():
            x, z, c = x[lost], z[lost], below[lost]
            printed = (1 - z) ** (r + x) * hyp2f1(r + x, b + x, c, z)
            kept[lost] = np.where(np.isfinite(printed), printed, 0.0)
    return np.asarray(below / (a - 1) * (1 - kept))


def cohort_purchases(fit: Fit, age: ArrayLike, count: ArrayLike = 1.0) -> float:
    """Repeat purchases expected of a cohort since its first ones: Σ count·E[X(age)] (FHL, eq. 9).

    Args:
        fit: Of `fit`, or known parameters r, alpha, a, b.
        age: Weeks since the first purchase, shape (m,).
        count: Customers of each age, shape (m,).

    Returns:
        Expected repeat purchase days of all of them; NaN where the fit says nothing.

    Raises:
        ValueError: An age or a count is negative.
    """
    weeks, customers = vectors(age=age, count=count)
    require_counts(age=weeks, count=customers)
    ages, index = np.unique(weeks, return_inverse=True)
    each = _if_alive(_parameters(fit), np.zeros(ages.size), np.zeros(ages.size), ages)
    return float(summed(index, customers, ages.size) @ each)


def discounted_purchases(
    fit: Fit,
    frequency: ArrayLike,
    recency: ArrayLike,
    age: ArrayLike,
    weeks: int,
    annual_discount: float,
) -> Array:
    """Discounted expected transactions (DET) to a horizon.

    DET(H) = Σ_{t=1..H} [E Y(t) − E Y(t−1)]·e^{−δt}, δ = ln(1 + annual)/52. After Fader, Hardie &
    Lee, "RFM and CLV", *Journal of Marketing Research* 42, 2005, whose DET sums to infinity; the
    BG/NBD's need not converge there, so a horizon is stated. The value of a customer is
    margin · mean purchase · DET.

    Args:
        fit: Of `fit`, or known parameters r, alpha, a, b.
        frequency: x, shape (m,).
        recency: t_x in weeks, shape (m,).
        age: T in weeks, shape (m,).
        weeks: Horizon H, from 1 up.
        annual_discount: E.g. .10 for 10 % a year; 0 for none.

    Returns:
        Discounted purchase days, shape (m,); NaN where the fit says nothing.

    Raises:
        ValueError: A row cannot be a customer, the horizon is below 1 or the discount negative.
    """
    if_alive = discounted_purchases_if_alive(fit, frequency, age, weeks, annual_discount)
    return np.asarray(alive(fit, frequency, recency, age) * if_alive)


def discounted_purchases_if_alive(
    fit: Fit, frequency: ArrayLike, age: ArrayLike, weeks: int, annual_discount: float
) -> Array:
    """Discounted expected transactions of a customer known not to have stopped.

    The sum over weeks is done by parts, Σ_{t<H} E Y(t)·(e^{−δt} − e^{−δ(t+1)}) + E Y(H)·e^{−δH},
    whose weights are positive, and then by Gauss's quadrature for those very weights and weeks
    (Golub & Welsch, *Mathematics of Computation* 23, 1969) in ln(1 + t/α), in which E Y is
    smooth: a dozen evaluations instead of one a week. Each distinct (x, T) is worked out once.

    Args:
        fit: Of `fit`, or known parameters r, alpha, a, b.
        frequency: x, shape (m,).
        age: T in weeks, shape (m,).
        weeks: Horizon H, from 1 up.
        annual_discount: E.g. .10 for 10 % a year; 0 for none.

    Returns:
        Discounted purchase days, shape (m,); NaN where the fit says nothing.

    Raises:
        ValueError: A row cannot be a customer, the horizon is below 1 or the discount negative.
    """
    x, _, T, _ = _customers(frequency, age, age, 1.0)
    if weeks < 1 or annual_discount < 0:
        raise ValueError(
            f"A horizon of {weeks} weeks at {annual_discount:g} a year cannot be summed: give at "
            "least 1 week and a discount from 0 up (.10 is 10 %)."
        )
    parameters = _parameters(fit)
    if math.isnan(parameters[0]):
        return np.full(x.shape, math.nan)
    (xs, ages), index = _pairs(x, T)
    times, weights = _quadrature(weeks, math.log1p(annual_discount) / WEEKS_A_YEAR, parameters[1])
    total = np.zeros(xs.size)
    for time, weight in zip(times, weights, strict=True):
        total += weight * _if_alive(parameters, xs, ages, np.full(xs.size, time))
    return np.asarray(total[index])


def _pairs(x: Array, T: Array) -> tuple[tuple[Array, Array], NDArray[np.intp]]:
    """Distinct pairs, and which of them each row has."""
    xs, by_x = np.unique(x, return_inverse=True)
    ages, by_age = np.unique(T, return_inverse=True)
    pairs, index = np.unique(by_x * ages.size + by_age, return_inverse=True)
    return (xs[pairs // ages.size], ages[pairs % ages.size]), index


def _quadrature(weeks: int, delta: float, alpha: float) -> tuple[Array, Array]:
    """Times and weights that stand for the sum over weeks 1 … H."""
    week = np.arange(1, weeks + 1)
    weights = np.exp(-delta * week) * np.where(week < weeks, -math.expm1(-delta), 1.0)
    week, weights = week[weights > 0], weights[weights > 0]
    if week.size <= NODES:
        return week.astype(np.float64), weights
    place = np.log1p(week / alpha)
    # Lanczos: the polynomials that are orthogonal under these weights.
    basis = [np.sqrt(weights / weights.sum())]
    diagonal, beside = [], []
    for _ in range(NODES):
        following = place * basis[-1]
        diagonal.append(float(basis[-1] @ following))
        for _ in range(2):
            following -= np.array(basis).T @ (np.array(basis) @ following)
        beside.append(float(np.linalg.norm(following)))
        basis.append(following / beside[-1])
    nodes, vectors_ = eigh_tridiagonal(diagonal, beside[:-1])
    return np.expm1(nodes) * alpha, weights.sum() * vectors_[0] ** 2
