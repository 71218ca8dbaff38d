"""What a purchase is worth: the gamma-gamma model of spend.

Holds the fit and the conditional expectation of Fader, Hardie & Lee, "RFM and CLV: Using
Iso-Value Curves for Customer Base Analysis", *Journal of Marketing Research* 42, 2005, as written
out in Fader & Hardie, "The Gamma-Gamma Model of Monetary Value", 2013 (here: note). A customer's
purchases scatter around a mean of his own (gamma, shape p), and the means differ (q, γ). How many
purchases there will be is bg_nbd.py's business.
"""

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betaln, digamma

from orchestration.estimators.fit import Fit, fitted, maximise, standing_in
from orchestration.estimators.inputs import Array, require, require_counts, too_few, vectors

METHOD = "gamma_gamma"
FALLBACK = "cohort_mean"
NEEDED = {"repeat customers": 30.0}
# The model takes spend for independent of frequency; beyond this it is not.
CORRELATION_LIMIT = 0.2


def fit(frequency: ArrayLike, mean_value: ArrayLike, count: ArrayLike = 1.0) -> Fit:
    """The gamma-gamma's maximum likelihood (note, eq. 1a).

    Args:
        frequency: x, repeat purchases the mean is of, whole numbers from 1, shape (m,).
        mean_value: z̄, mean value of these purchases in the reporting currency, > 0, shape (m,).
        count: Customers each row stands for, shape (m,).

    Returns:
        Method "gamma_gamma" with p, q and gamma (currency), n in customers; or "cohort_mean"
        with mean, the average purchase of all customers, when there is less than NEEDED, when
        frequency and spend correlate by CORRELATION_LIMIT or more, when the likelihood has no
        maximum, and when q ≤ 1, where the mean over customers would be infinite.

    Raises:
        ValueError: A frequency is not a whole number from 1 up or a mean not above 0.
    """
    x, mean, customers = _purchases(frequency, mean_value, count)
    n = float(customers.sum())
    if lacking := too_few({"repeat customers": n}, NEEDED):
        return _cohort_mean(x, mean, customers, lacking)
    together = correlation(x, mean, customers)
    if abs(together) >= CORRELATION_LIMIT:
        reason = f"frequency and spend correlate: r = {together:.2f}"
        return _cohort_mean(x, mean, customers, reason)
    found = _maximum(x, mean, customers)
    if not found.converged:
        return _cohort_mean(x, mean, customers, "the likelihood has no maximum")
    if found["q"] <= 1:
        return _cohort_mean(x, mean, customers, f"q = {found['q']:.3g}: no finite mean")
    return found


def _purchases(
    frequency: ArrayLike, mean_value: ArrayLike, count: ArrayLike
) -> tuple[Array, Array, Array]:
    x, mean, customers = vectors(frequency=frequency, mean_value=mean_value, count=count)
    require_counts(count=customers)
    require(
        (x >= 1) & (x == np.floor(x)),
        "frequency is not a whole number from 1 up",
        "give customers with a repeat purchase only",
        x,
    )
    require(
        mean > 0,
        "mean value is not above 0",
        "leave out customers whose repeat purchases were free",
        x,
        mean,
    )
    return x, mean, customers


def _maximum(x: Array, mean: Array, count: Array) -> Fit:
    n = float(count.sum())
    # In units of the average mean, so that the same starts serve every currency.
    unit = float(count @ mean / n)
    z = mean / unit
    xs, by_x = np.unique(x, return_inverse=True)
    n_x = np.bincount(by_x, weights=count, minlength=xs.size)
    log_z, spent = np.log(z), x * z
    n_xz, n_z = float((count * x) @ (log_z + np.log(x))), float(count @ log_z)

    def log_likelihood(point: Array) -> tuple[float, Array]:
        p, q, gamma = np.exp(point)
        log_all, power = np.log(gamma + spent), p * x + q
        value = (
            -n_x @ betaln(p * xs, q) + n * q * math.log(gamma)
            + p * n_xz - n_z - (count * power) @ log_all
        )  # fmt: skip
        both = digamma(p * xs + q)
        slopes = np.array(
            [
                (n_x * xs) @ (both - digamma(p * xs)) + n_xz - (count * x) @ log_all,
                n_x @ both - n * digamma(q) + n * math.log(gamma) - count @ log_all,
                n * q / gamma - (count * power) @ (1 / (gamma + spent)),
            ]
        )
        return float(value), slopes * (p, q, gamma)

    # E[z] = pγ/(q−1) = 1 at each start.
    starts = [(p, q, (q - 1) / p) for p, q in ((1.0, 3.0), (6.0, 4.0), (20.0, 10.0))]
    found = maximise(log_likelihood, starts, n)
    names, scale = ("p", "q", "gamma"), np.array([1, 1, unit])
    return fitted(METHOD, names, found, n, scale, -n * math.log(unit))


def _cohort_mean(x: Array, mean: Array, count: Array, reason: str) -> Fit:
    purchases = float(count @ x)
    average = float((count * x) @ mean / purchases) if purchases else math.nan
    return standing_in(FALLBACK, reason, float(count.sum()), mean=average)


def correlation(frequency: ArrayLike, mean_value: ArrayLike, count: ArrayLike = 1.0) -> float:
    """Pearson's correlation of frequency and mean value over repeat customers.

    The model assumes none (FHL 2005, p. 420).

    Args:
        frequency: x, whole numbers from 1, shape (m,).
        mean_value: z̄ > 0, shape (m,).
        count: Customers each row stands for, shape (m,).

    Returns:
        Between −1 and 1; 0 when one of the two does not vary.

    Raises:
        ValueError: A frequency is not a whole number from 1 up or a mean not above 0.
    """
    x, mean, customers = _purchases(frequency, mean_value, count)
    n = customers.sum()
    dx, dz = x - customers @ x / n, mean - customers @ mean / n
    spread = math.sqrt((customers @ dx**2) * (customers @ dz**2))
    return float((customers * dx) @ dz / spread) if spread > 0 else 0.0


def expected_mean(fit: Fit, frequency: ArrayLike, mean_value: ArrayLike) -> Array:
    """Value a customer's purchases will average: E[M | x, z̄].

    p(γ + x·z̄)/(p·x + q − 1): his own average, drawn towards everybody's, pγ/(q−1), the more the
    fewer his purchases. Plain arithmetic, which SQL does as well.

    Args:
        fit: Of `fit`, or known parameters p, q, gamma, or mean.
        frequency: x ≥ 0, shape (m,); at 0 everybody's mean is returned.
        mean_value: z̄ in the fit's currency, shape (m,); not read where x = 0.

    Returns:
        Expected values, shape (m,).

    Raises:
        ValueError: A frequency or a mean is negative.
    """
    x, mean = vectors(frequency=frequency, mean_value=mean_value)
    require_counts(frequency=x, mean_value=mean)
    if "mean" in fit:
        return np.full(x.shape, fit["mean"])
    p, q, gamma = fit["p"], fit["q"], fit["gamma"]
    return np.asarray(p * (gamma + x * mean) / (p * x + q - 1))
