"""Whether two series move together: the correlation coefficient with Fisher's interval.

R. A. Fisher, "On the 'probable error' of a coefficient of correlation deduced from a small sample",
Metron 1 (1921): artanh r is near to normal with standard error 1 / √(n − 3).
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats


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
    """The correlation of two samples, pair by pair.

    Args:
        one: Shape (n,), finite.
        other: Shape (n,), finite.
        level: Coverage of the interval.

    Returns:
        NaN for all of it with fewer than four pairs, or when one of the two never varies.
    """
    n = len(one)
    if n < 4 or np.ptp(one) == 0 or np.ptp(other) == 0:
        return Correlation(math.nan, math.nan, math.nan, n)
    value = float(np.clip(np.corrcoef(one, other)[0, 1], -1, 1))
    # Two that are the same would lie infinitely far out.
    middle = math.atanh(min(max(value, -1 + 1e-12), 1 - 1e-12))
    half = float(stats.norm.ppf((1 + level) / 2)) / math.sqrt(n - 3)
    return Correlation(value, math.tanh(middle - half), math.tanh(middle + half), n)
