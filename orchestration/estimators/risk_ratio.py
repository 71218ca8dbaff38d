"""How much likelier an outcome is among the exposed: risk ratios and what could explain them away.

Holds the ratio of two shares, the same within strata, and the E-value. It measures association;
nothing in this module says that one thing causes another.
"""

import math
from dataclasses import dataclass

from numpy.typing import ArrayLike

from orchestration.estimators.fit import LEVEL, normal_quantile
from orchestration.estimators.inputs import Array, require, require_counts, vectors

METHOD = "risk_ratio"
CORRECTED = "risk_ratio_plus_half"
STRATIFIED = "mantel_haenszel"
FALLBACK = "none"
EVERYBODY = "everybody is a case"


@dataclass(frozen=True)
class Ratio:
    """A ratio of two risks.

    Attributes:
        method: How it was computed: METHOD, CORRECTED, STRATIFIED or FALLBACK.
        reason: Why not otherwise; empty when as asked.
        estimate: The ratio; NaN when there is none.
        lower: Lower end of its interval.
        upper: Upper end.
        log_error: Standard error of its logarithm.
        n: Customers counted.
    """

    method: str
    reason: str
    estimate: float
    lower: float
    upper: float
    log_error: float
    n: float


def risk_ratio(
    exposed_cases: float, exposed: float, other_cases: float, others: float, level: float = LEVEL
) -> Ratio:
    """Ratio of two shares with its interval: RR = (a/n1)/(c/n0).

    se ln RR = √(1/a − 1/n1 + 1/c − 1/n0), interval exp(ln RR ± z·se) (Katz, Baptista, Azen &
    Pike, *Biometrics* 34, 1978).

    Args:
        exposed_cases: a, exposed customers with the outcome.
        exposed: n1, exposed customers.
        other_cases: c, other customers with the outcome.
        others: n0, other customers.
        level: Share of samples whose interval should cover the truth.

    Returns:
        The ratio. When one group has no case, half a case and half a customer are added to both
        (Pettigrew, Gart & Thomas, *Biometrika* 73, 1986) and the method says so; when neither
        has, or a group is empty, there is none; nor where everybody is a case, as the formula
        then takes the ratio for certain.

    Raises:
        ValueError: A count is negative, or a group has more cases than customers.
    """
    a, n1, c, n0 = _counts(exposed_cases, exposed, other_cases, others)
    n, half = float((n1 + n0)[0]), 0.0
    if not (n1[0] and n0[0] and a[0] + c[0]):
        what = "a group is empty" if not (n1[0] and n0[0]) else "neither group has a case"
        return _none(what, n)
    if a[0] == n1[0] and c[0] == n0[0]:
        return _none(EVERYBODY, n)
    method, reason = METHOD, ""
    if not (a[0] and c[0]):
        half, method, reason = 0.5, CORRECTED, "a group has no case"
    a, n1, c, n0 = a + half, n1 + half, c + half, n0 + half
    ratio = float((a / n1 / (c / n0))[0])
    error = math.sqrt(float((1 / a - 1 / n1 + 1 / c - 1 / n0)[0]))
    return _ratio(method, reason, ratio, error, n, level)


def mantel_haenszel(
    exposed_cases: ArrayLike,
    exposed: ArrayLike,
    other_cases: ArrayLike,
    others: ArrayLike,
    level: float = LEVEL,
) -> Ratio:
    """One risk ratio within strata: Σ a·n0/N / Σ c·n1/N (Mantel & Haenszel 1959).

    Var ln RR = Σ (m1·n1·n0 − a·c·N)/N² / (Σ a·n0/N · Σ c·n1/N) with m1 = a + c (Greenland &
    Robins, *Biometrics* 41, 1985), right for few large strata and for many small ones.

    Args:
        exposed_cases: a, exposed customers with the outcome, shape (strata,).
        exposed: n1, exposed customers, shape (strata,).
        other_cases: c, other customers with the outcome, shape (strata,).
        others: n0, other customers, shape (strata,).
        level: Share of samples whose interval should cover the truth.

    Returns:
        The ratio, n over the strata that have both groups; none when one side has no case in
        any of them, or everybody in all of them is one.

    Raises:
        ValueError: A count is negative, or a group has more cases than customers.
    """
    a, n1, c, n0 = _counts(exposed_cases, exposed, other_cases, others)
    both = (n1 > 0) & (n0 > 0)
    a, n1, c, n0 = a[both], n1[both], c[both], n0[both]
    total = n1 + n0
    n = float(total.sum())
    above, below = float((a * n0 / total).sum()), float((c * n1 / total).sum())
    if not (above and below):
        return _none("a group has no case in any stratum with both groups", n)
    if (a == n1).all() and (c == n0).all():
        return _none(EVERYBODY, n)
    spread = float((((a + c) * n1 * n0 - a * c * total) / total**2).sum())
    error = math.sqrt(spread / (above * below))
    return _ratio(STRATIFIED, "", above / below, error, n, level)


def e_value(ratio: float) -> float:
    """How strong a common cause must be to explain a risk ratio away (VanderWeele & Ding 2017).

    RR + √(RR·(RR − 1)), for RR < 1 of its inverse (*Annals of Internal Medicine* 167): the
    least risk ratio that an unseen factor must have with both exposure and outcome.

    Args:
        ratio: RR > 0.

    Returns:
        From 1 (nothing needs explaining) up; NaN of NaN.

    Raises:
        ValueError: The ratio is not above 0.
    """
    if ratio <= 0:
        raise ValueError(f"A risk ratio of {ratio:g} does not exist: give one above 0.")
    strength = max(ratio, 1 / ratio) if not math.isnan(ratio) else ratio
    return strength + math.sqrt(strength * (strength - 1))


def e_value_of_limit(ratio: Ratio) -> float:
    """The E-value of the end of the interval that lies nearer to 1; 1 when it covers 1.

    Args:
        ratio: A ratio with its interval.

    Returns:
        From 1 up; NaN when there is no ratio.
    """
    if ratio.lower <= 1 <= ratio.upper:
        return 1.0
    return e_value(ratio.lower if ratio.lower > 1 else ratio.upper)


def _counts(
    exposed_cases: ArrayLike, exposed: ArrayLike, other_cases: ArrayLike, others: ArrayLike
) -> tuple[Array, Array, Array, Array]:
    a, n1, c, n0 = vectors(
        exposed_cases=exposed_cases, exposed=exposed, other_cases=other_cases, others=others
    )
    require_counts(exposed_cases=a, exposed=n1, other_cases=c, others=n0)
    fix = "count the cases among the customers of the same group"
    require(a <= n1, "more exposed cases than exposed", fix, a, n1)
    require(c <= n0, "more other cases than others", fix, c, n0)
    return a, n1, c, n0


def _ratio(method: str, reason: str, ratio: float, error: float, n: float, level: float) -> Ratio:
    width = math.exp(normal_quantile(level) * error)
    return Ratio(method, reason, ratio, ratio / width, ratio * width, error, n)


def _none(reason: str, n: float) -> Ratio:
    return Ratio(FALLBACK, reason, math.nan, math.nan, math.nan, math.nan, n)
