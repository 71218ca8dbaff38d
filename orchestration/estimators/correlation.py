"""Whether two series move together: the correlation coefficient with Fisher's interval.

R. A. Fisher, "On the 'probable error' of a coefficient of correlation deduced from a small sample",
Metron 1 (1921): artanh r is near to normal with standard error 1 / √(n − 3). That is of independent
pairs. Of series in time n is the number of independent pairs that would tell as much: M. S.
Bartlett, "Some aspects of the time-correlation problem", Journal of the Royal Statistical Society
98 (1935), as B. J. Pyper and R. M. Peterman estimate it, Canadian Journal of Fisheries and Aquatic
Sciences 55 (1998), 2127-2140. The changes of mere noise go back and forth (their autocorrelation at
lag 1 is −1/2), so that 52 of them tell as much as 35 independent ones.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

FEWEST = 4


@dataclass(frozen=True)
class Correlation:
    """A coefficient and its interval; NaN where it cannot be told.

    Attributes:
        value: Pearson's coefficient, -1 to 1.
        lower: Lower end of the interval.
        upper: Upper end.
        n: Pairs of observations.
    """

    value: float
    lower: float
    upper: float
    n: int


def correlation(
    one: npt.NDArray[np.float64], other: npt.NDArray[np.float64], level: float = 0.95
) -> Correlation:
    """The correlation of two series, instant by instant.

    Args:
        one: Shape (n,), finite, in the order of time.
        other: Shape (n,), finite, of the same instants.
        level: Coverage of the interval.

    Returns:
        NaN for all of it with fewer than four pairs, or when one of the two never varies.
    """
    n = len(one)
    if n < FEWEST or np.ptp(one) == 0 or np.ptp(other) == 0:
        return Correlation(math.nan, math.nan, math.nan, n)
    value = float(np.clip(np.corrcoef(one, other)[0, 1], -1, 1))
    # Two that are the same would lie infinitely far out.
    middle = math.atanh(min(max(value, -1 + 1e-12), 1 - 1e-12))
    half = float(stats.norm.ppf((1 + level) / 2)) / math.sqrt(effective_size(one, other) - 3)
    return Correlation(value, math.tanh(middle - half), math.tanh(middle + half), n)


def effective_size(one: npt.NDArray[np.float64], other: npt.NDArray[np.float64]) -> float:
    """How many independent pairs tell as much of the correlation as these do.

    n / (1 + 2 Σ (1 − k/n) ρ₁(k) ρ₂(k)) over the lags k up to a fifth of n, ρ being the two
    autocorrelations, each lag's products divided by their own number; at most n, at least 4.

    Args:
        one: Shape (n,), finite, in the order of time, not constant.
        other: Shape (n,), finite, of the same instants, not constant.
    """
    n = len(one)
    lags = np.arange(1, max(n // 5, 1) + 1)
    both = _autocorrelations(one, lags) * _autocorrelations(other, lags)
    inflation = 1 + 2 * float(((1 - lags / n) * both).sum())
    return max(n / max(inflation, 1.0), float(FEWEST))


def _autocorrelations(
    series: npt.NDArray[np.float64], lags: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    centred = series - series.mean()
    n = len(centred)
    products = [float(np.dot(centred[k:], centred[: n - k])) / (n - k) for k in lags]
    return np.array(products) / (float(np.dot(centred, centred)) / n)
