"""The real data as the estimators take it; read only, where it is there."""

import csv
import datetime as dt
from collections import defaultdict
from pathlib import Path

import numpy as np

from orchestration.estimators.inputs import Array

CALIBRATED_TO = dt.date(1997, 9, 30)
HELD_OUT_TO = dt.date(1998, 6, 30)


def cdnow(data: Path) -> Array:
    """CDNOW's customers: x, t_x, T in weeks, mean repeat value, purchase days after 39 weeks.

    Shape (2357, 5); the mean is NaN where there is no repeat purchase. Purchases of a day are
    one, worth their sum.
    """
    days: dict[str, dict[dt.date, float]] = defaultdict(lambda: defaultdict(float))
    for line in (data / "cdnow" / "CDNOW_sample.txt").read_text().splitlines():
        _, customer, day, _, amount = line.split()
        days[customer][dt.datetime.strptime(day, "%Y%m%d").date()] += float(amount)
    return np.array([_customer(bought) for bought in days.values()])


def _customer(bought: dict[dt.date, float]) -> tuple[float, ...]:
    first, *again = sorted(day for day in bought if day <= CALIBRATED_TO)
    later = sum(CALIBRATED_TO < day <= HELD_OUT_TO for day in bought)
    weeks = (CALIBRATED_TO - first).days / 7
    if not again:
        return 0, 0, weeks, np.nan, later
    mean = float(np.mean([bought[day] for day in again]))
    return len(again), (again[-1] - first).days / 7, weeks, mean, later


def telco(data: Path) -> list[dict[str, str]]:
    """The telecom's customers, a row each, as the file has them."""
    with (data / "telco" / "Telco-Customer-Churn.csv").open(newline="") as file:
        return list(csv.DictReader(file))
