"""How sure a projection of the pace so far is: a random walk with drift.

Rob J. Hyndman and George Athanasopoulos, "Forecasting: Principles and Practice" (3rd ed., 2021),
chapter 5.5, drift method: over m steps to come the forecast's variance is s² · m · (1 + m / k),
where s² is the variance of the steps and k how many of them the drift was estimated from.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

Array = npt.NDArray[np.float64]
# Fewer steps say too little about how much they vary.
FEWEST_STEPS = 4
MOST_STEPS = 26


@dataclass(frozen=True)
class Projection:
    """What a projection is worth, an element for each.

    Attributes:
        lower: Lower end of the 95 % interval; NaN where too few steps are known.
        upper: Upper end.
        probability: Probability that the final value lies at the target or beyond it.
    """

    lower: Array
    upper: Array
    probability: Array


def recent_steps(levels: Array, length: int) -> Array:
    """The latest steps of so many observations each, backwards from each observation.

    Args:
        levels: Values of a series, one after the other; NaN while unknown. Shape (n,).
        length: Observations from one end of a step to the other.

    Returns:
        Shape (n, MOST_STEPS): the step that ends at the observation, the one before it, …; NaN
        where the series does not reach back so far.
    """
    padded = np.concatenate([np.full(MOST_STEPS * length, np.nan), levels])
    count = len(levels)
    ends = [
        padded[len(padded) - count - back * length : len(padded) - back * length]
        for back in range(MOST_STEPS + 1)
    ]
    return np.stack([ends[back] - ends[back + 1] for back in range(MOST_STEPS)], axis=1)


def project(
    forecast: Array,
    target: Array,
    is_rising: npt.NDArray[np.bool_],
    steps: Array,
    elapsed: Array,
    remaining: Array,
) -> Projection:
    """The interval of a forecast, and how likely the target is reached.

    Args:
        forecast: Projected final value. Shape (n,), as the others.
        target: Value wanted.
        is_rising: Whether more is better.
        steps: Steps of the series known so far. Shape (n, s), NaN for none.
        elapsed: How many steps the drift was estimated from, above 0.
        remaining: How many are to come; 0 at the end.
    """
    known = np.sum(np.isfinite(steps), axis=1)
    is_over = remaining <= 0
    with np.errstate(all="ignore"):
        mean = np.nansum(steps, axis=1) / known
        variance = np.nansum((steps - mean[:, None]) ** 2, axis=1) / (known - 1)
        spread = np.sqrt(variance * remaining * (1 + remaining / elapsed))
        freedom = np.maximum(known - 1, 1)
        away = np.where(is_rising, forecast - target, target - forecast)
        probability = stats.t.cdf(away / spread, freedom)
        half = stats.t.ppf(0.975, freedom) * spread
    # A series that never varied is sure of itself; one that has ended is what it is.
    is_sure = is_over | (spread == 0)
    half = np.where(is_sure, 0.0, half)
    probability = np.where(is_sure, (away >= 0).astype(np.float64), probability)
    unknown = ~np.isfinite(forecast) | (~is_over & (known < FEWEST_STEPS))
    half = np.where(unknown, np.nan, half)
    return Projection(forecast - half, forecast + half, np.where(unknown, np.nan, probability))
