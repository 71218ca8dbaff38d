"""Customers whose truth is known: what the models say happens, drawn at random from a seed.

Holds the draws that the tests and tests/bench/estimators.py share. Nothing here is fitted.
"""

from dataclasses import dataclass

import numpy as np

from orchestration.estimators import kaplan_meier
from orchestration.estimators.inputs import Array

# Regular customers of Fader & Hardie 2007; CDNOW of Fader, Hardie & Lee 2005 (both papers).
SBG = {"alpha": 0.704, "beta": 1.182}
BG_NBD = {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}
GAMMA_GAMMA = {"p": 6.25, "q": 3.74, "gamma": 15.44}
LOGISTIC = {"intercept": -3.0, "price": 0.05, "is_sleeper": 1.2, "tenure": -0.03}


@dataclass(frozen=True)
class Purchases:
    """Customers as the BG/NBD sees them, in weeks, shape (n,) each."""

    frequency: Array
    recency: Array
    age: Array


def contracts(
    rng: np.random.Generator, n: int, periods: int, late: bool = False
) -> tuple[Array, Array, Array]:
    """Risk table of contracts with sBG churn, seen for 1 to `periods` renewals.

    Half of them are seen from their 2nd to 4th period on only, when `late`: who churned before
    that is never seen.
    """
    chance = rng.beta(SBG["alpha"], SBG["beta"], n)
    churned_at = np.ceil(np.log(rng.random(n)) / np.log1p(-chance)).clip(1, 1e9)
    entry = rng.integers(1, 4, n) * (rng.random(n) < 0.5) if late else np.zeros(n)
    until = entry + rng.integers(1, periods + 1, n)
    seen = churned_at > entry
    tenure, is_churned = np.minimum(churned_at, until), churned_at <= until
    return kaplan_meier.risk_table(tenure[seen], is_churned[seen], 1.0, entry[seen])


def purchases(rng: np.random.Generator, age: Array) -> Purchases:
    """Customers seen for so many weeks each, to the moment."""
    n = age.size
    rate = rng.gamma(BG_NBD["r"], 1 / BG_NBD["alpha"], n)
    stops = rng.beta(BG_NBD["a"], BG_NBD["b"], n)
    frequency, recency = np.zeros(n), np.zeros(n)
    buying = np.arange(n)
    while buying.size:
        # A rate too small for a number stands for never.
        with np.errstate(divide="ignore"):
            following = recency[buying] + rng.exponential(1.0, buying.size) / rate[buying]
        seen = following <= age[buying]
        buying = buying[seen]
        recency[buying] = following[seen]
        frequency[buying] += 1
        buying = buying[rng.random(buying.size) >= stops[buying]]
    return Purchases(frequency, recency, age)


def by_day(rng: np.random.Generator, age: Array) -> Purchases:
    """The same as a shop's ledger has them: by date, several purchases of a date as one.

    The first purchase falls anywhere within its day, and the last day is seen to its end.
    """
    last_day, clock = np.round(age * 7), rng.random(age.size)
    made = purchases(rng, (last_day + 1 - clock) / 7)
    frequency, recency = np.zeros(age.size), np.zeros(age.size)
    for row in np.flatnonzero(made.frequency):
        # Given how many and when the last, the others fall anywhere before it.
        moments = made.recency[row] * np.append(rng.random(int(made.frequency[row]) - 1), 1.0)
        days = np.unique(np.floor(clock[row] + 7 * moments))
        frequency[row] = np.count_nonzero(days)
        recency[row] = days[-1] / 7
    return Purchases(frequency, recency, last_day / 7)


def spend(rng: np.random.Generator, n: int) -> tuple[Array, Array]:
    """Frequency and mean value of customers with gamma-gamma spend."""
    frequency = 1.0 + rng.geometric(0.4, n)
    scale = 1 / rng.gamma(GAMMA_GAMMA["q"], 1 / GAMMA_GAMMA["gamma"], n)
    mean = rng.gamma(GAMMA_GAMMA["p"] * frequency) * scale / frequency
    return np.asarray(frequency), np.asarray(mean)


def churners(rng: np.random.Generator, n: int) -> tuple[Array, Array, Array]:
    """Distinct covariates (price, is_sleeper, tenure), how many churned, how many there are."""
    drawn = np.column_stack(
        [rng.integers(5, 31, n), rng.random(n) < 0.2, rng.integers(0, 60, n)]
    ).astype(float)
    intercept, *coefficients = LOGISTIC.values()
    odds = intercept + drawn @ np.array(coefficients)
    lost = rng.random(n) < 1 / (1 + np.exp(-odds))
    rows, index = np.unique(drawn, axis=0, return_inverse=True)
    index = index.ravel()
    churned, customers = np.bincount(index, weights=lost), np.bincount(index)
    return np.asarray(rows), np.asarray(churned), customers.astype(np.float64)
