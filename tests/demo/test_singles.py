"""The demo's single purchases give back the parameters they were drawn with."""

import datetime as dt
from collections import defaultdict

import numpy as np

from orchestration.demo import singles
from orchestration.demo.calendar import Calendar
from orchestration.estimators import bg_nbd, gamma_gamma

DAYS = 400


def bought(accounts: int) -> list[singles.Single]:
    calendar = Calendar(dt.date(2026, 6, 30), DAYS)
    subscribed = {account: account % 100 - 50 for account in range(accounts)}
    return list(singles.purchases(np.random.default_rng(7), calendar, subscribed))


def test_single_purchases_give_back_what_was_planted_in_them() -> None:
    # Some 3,000 customers by day, as the marts count them; within four standard errors, so that
    # none of seven numbers is off by chance.
    days: dict[int, dict[int, float]] = defaultdict(lambda: defaultdict(float))
    for each in bought(12_000):
        days[each.account][each.day] += each.amount
    rows = []
    for of_one in days.values():
        first, *again = sorted(of_one)
        value = sum(of_one[day] for day in again) / max(len(again), 1)
        rows.append((len(again), max(of_one) - first, DAYS - 1 - first, value))
    x, recency, age, mean = np.array(rows, dtype=float).T
    assert 2_700 < len(rows) < 3_300
    fits = {
        "bg_nbd": (bg_nbd.fit(x, recency / 7, age / 7), singles.BUYING),
        "gamma_gamma": (gamma_gamma.fit(x[x > 0], mean[x > 0]), singles.SPENDING),
    }
    for method, (fit, planted) in fits.items():
        assert fit.method == method
        for parameter in fit.parameters:
            away = abs(parameter.value - planted[parameter.name]) / parameter.standard_error
            assert away < 4, parameter


def test_nobody_buys_singly_before_the_day_after_his_subscription() -> None:
    firsts: dict[int, int] = {}
    for each in bought(2_000):
        firsts.setdefault(each.account, each.day)
        assert 0 <= each.day < DAYS
    assert all(day > account % 100 - 50 for account, day in firsts.items())
