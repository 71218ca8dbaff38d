"""Articles bought one by one and donations: purchases without a contract.

Holds who buys singly, when, and for how much, with planted parameters of the models that the marts
value such customers with (orchestration/estimators): a rate, a chance to stop after each repeat
purchase and a mean value of each one's own.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from orchestration.demo.calendar import Calendar

# Of the accounts that ever subscribed, those that buy singly too, and of those the donors.
SINGLE_SHARE, DONOR_SHARE = 0.25, 0.3
# BG/NBD in weeks, gamma-gamma in euros: .2 purchases a week on average, 5 euros each.
BUYING = {"r": 0.8, "alpha": 4.0, "a": 0.6, "b": 2.4}
SPENDING = {"p": 5.0, "q": 4.0, "gamma": 3.0}
DAY_SECONDS = 86_400
# Nobody buys at night, so that no clock that is put forward or back is met.
OPENS, CLOSES = 7 / 24, 23 / 24
CHEAPEST, SLOWEST = 0.1, 1e-9


@dataclass(frozen=True)
class Single:
    """One purchase: whose, on which day, how many seconds into it, for how much, of what kind."""

    account: int
    day: int
    second: int
    amount: float
    kind: str


def purchases(
    chance: np.random.Generator, calendar: Calendar, first_bought: Mapping[int, int]
) -> Iterator[Single]:
    """All of them, customer by customer.

    Args:
        chance: Where the draws come from.
        calendar: The days.
        first_bought: Account → day of its first subscription. It buys singly on later days only:
            that day was drawn as the one of its first purchase.
    """
    for account, subscribed in sorted(first_bought.items()):
        earliest = max(subscribed + 1, 0)
        if earliest >= calendar.days or chance.random() >= SINGLE_SHARE:
            continue
        kind = "donation" if chance.random() < DONOR_SHARE else "purchase"
        scale = 1 / chance.gamma(SPENDING["q"], 1 / SPENDING["gamma"])
        for day, second in _moments(chance, calendar.days, earliest):
            amount = max(round(chance.gamma(SPENDING["p"]) * scale, 2), CHEAPEST)
            yield Single(account, day, second, amount, kind)


def _moments(chance: np.random.Generator, days: int, earliest: int) -> Iterator[tuple[int, int]]:
    """Day and second of the purchases of one customer, as the BG/NBD has them."""
    at = float(chance.integers(earliest, days)) + chance.random()
    rate = chance.gamma(BUYING["r"], 1 / BUYING["alpha"]) / 7
    stops = chance.beta(BUYING["a"], BUYING["b"])
    has_bought = False
    while at < days:
        clock = OPENS + (CLOSES - OPENS) * (at % 1)
        yield math.floor(at), math.floor(clock * DAY_SECONDS)
        # The first purchase makes the customer: he can stop only after a repeat one.
        if has_bought and chance.random() < stops:
            return
        has_bought = True
        at += chance.exponential() / max(rate, SLOWEST)


def truths() -> dict[str, Any]:
    """What was planted in the single purchases."""
    return {
        "single_purchases": {
            "bg_nbd": BUYING,
            "gamma_gamma": SPENDING,
            "definition": "repeat purchase days of whoever ever bought singly, in weeks; their "
            "value in euros",
        }
    }
