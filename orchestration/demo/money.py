"""The billing system's, the advertising sales' and the controller's exports.

Holds what money looks like from outside: subscriptions, payments, bills, costs and rates. Who buys
and who leaves is decided in business.py.
"""

import datetime as dt
from collections.abc import Iterable, Iterator
from itertools import chain, count
from typing import TYPE_CHECKING

import numpy as np

from orchestration.demo.business import PRICES, SEK_RATE, Business, Period, billing_days
from orchestration.demo.calendar import Calendar
from orchestration.demo.files import Folder
from orchestration.demo.people import DEVICES
from orchestration.demo.singles import Single

if TYPE_CHECKING:
    from orchestration.demo.visits import Reading

REFUND_SHARE = 0.008
# Revenue of a thousand page views by placement, in euros.
RPM = {"article": 6.5, "front": 9.0}
# Of these days of a month the first bill is corrected later.
CORRECTED_DAYS = (3, 17)
# Of what ended, every so manieth is exported in the version from before it ended, too.
EARLIER_VERSION_EVERY = 20
REPEATED_PAYMENT_EVERY = 1_000


def write(
    out: Folder,
    chance: np.random.Generator,
    calendar: Calendar,
    trade: Business,
    reading: "Reading",
    singles: Iterable[Single],
) -> None:
    """All of them."""
    _write_subscriptions(out, calendar, trade)
    _write_payments(out, chance, calendar, trade, singles)
    _write_ad_revenue(out, chance, calendar, reading)
    _write_costs(out, chance, calendar)
    _write_rates(out, chance, calendar)


def _write_subscriptions(out: Folder, calendar: Calendar, trade: Business) -> None:
    """Semicolons and decimal commas, as a Finnish spreadsheet has them; gzipped."""

    # What lies after the last day has not happened yet: a period ends, or begins, unknown to us.
    def known() -> Iterator[Period]:
        return (period for period in trade.periods if period.start < calendar.days)

    earlier = (
        _subscription(calendar, trade, period, has_ended=False)
        for number, period in enumerate(known())
        if number % EARLIER_VERSION_EVERY == 0 and _has_ended(calendar, period)
    )
    out.csv(
        "subscriptions.csv.gz",
        chain(
            out.first(
                "subscriptions",
                (
                    _subscription(calendar, trade, period, has_ended=_has_ended(calendar, period))
                    for period in known()
                ),
                wrong=({"state": "kestotilaus"}, {"price": "ilmainen"}, {"from": "31.2.2026"}),
            ),
            out.again("subscriptions", earlier),
        ),
        delimiter=";",
    )


def _has_ended(calendar: Calendar, period: Period) -> bool:
    return period.end is not None and period.end < calendar.days


def _subscription(
    calendar: Calendar, trade: Business, period: Period, *, has_ended: bool
) -> dict[str, object]:
    """A period as the billing system knew it while it ran, or after it had ended."""
    end = period.end if has_ended else None
    return {
        "subscription": period.subscription,
        "customer": trade.crowd.account_ids[period.account],
        "product": period.plan,
        "state": period.status,
        "from": calendar.instant(period.start, period.second),
        "to": "" if end is None else calendar.instant(end, period.second),
        "price": f"{period.amount:.2f}".replace(".", ","),
        "currency": period.currency,
        "interval": PRICES[period.plan][1],
        "reason": "" if end is None else period.reason,
        "changed": calendar.instant(period.start if end is None else end, period.second),
    }


def _write_payments(
    out: Folder,
    chance: np.random.Generator,
    calendar: Calendar,
    trade: Business,
    singles: Iterable[Single],
) -> None:
    """Every bill paid, some of it refunded; and what is bought or given without a contract."""

    def ledger() -> Iterator[dict[str, object]]:
        numbers = map("P{:08}".format, count())
        for period in trade.periods:
            if period.status == "active":
                yield from _bills(chance, calendar, trade, period, numbers)
        for each in singles:
            yield _payment(
                calendar, trade, each.account, each.day, each.second, each.amount, each.kind
            ) | {"booking": next(numbers)}

    repeated: list[dict[str, object]] = []

    def remembered() -> Iterator[dict[str, object]]:
        for number, row in enumerate(ledger()):
            if number % REPEATED_PAYMENT_EVERY == 0:
                repeated.append(row)
            yield row

    out.csv(
        "payments.csv",
        chain(
            out.first(
                "payments",
                remembered(),
                wrong=({"sum": "12,9o"}, {"type": "gift"}, {"booked_at": "2026-02-30 09:00:00"}),
            ),
            out.again("payments", repeated),
        ),
    )


def _bills(
    chance: np.random.Generator,
    calendar: Calendar,
    trade: Business,
    period: Period,
    numbers: Iterator[str],
) -> Iterator[dict[str, object]]:
    end = min(calendar.days if period.end is None else period.end, calendar.days)
    for day in billing_days(calendar, period, end):
        bill = _payment(
            calendar, trade, period.account, day, period.second, period.amount, "subscription"
        ) | {"currency": period.currency, "subscription": period.subscription}
        yield bill | {"booking": next(numbers)}
        if chance.random() < REFUND_SHARE and day + 3 < calendar.days:
            yield bill | {
                "booking": next(numbers),
                "booked_at": calendar.instant(day + 3, period.second),
                "sum": f"-{period.amount:.2f}",
                "type": "refund",
            }


def _payment(
    calendar: Calendar,
    trade: Business,
    account: int,
    day: int,
    second: int,
    amount: float,
    kind: str,
) -> dict[str, object]:
    return {
        "booking": "",
        "customer": trade.crowd.account_ids[account],
        "booked_at": calendar.instant(day, second),
        "sum": f"{amount:.2f}",
        "currency": "EUR",
        "type": kind,
        "subscription": "",
    }


def _write_ad_revenue(
    out: Folder, chance: np.random.Generator, calendar: Calendar, reading: "Reading"
) -> None:
    """A file a month, as the advertising server's invoices come."""
    months: dict[str, list[int]] = {}
    for day in range(calendar.days):
        months.setdefault(f"{calendar.date(day):%Y-%m}", []).append(day)
    for month, days in months.items():
        bills = [bill for day in days for bill in _day_bills(chance, calendar, reading, day)]
        corrected = [
            bill
            | {"net": f"{0.95 * float(str(bill['net'])):.2f}", "changed": _later(calendar, day)}
            for day in days
            if calendar.date(day).day in CORRECTED_DAYS
            for bill in bills
            if bill["date"] == calendar.date(day).isoformat()
        ][:1]
        out.csv(
            f"ad_revenue/{month}.csv",
            chain(
                out.first(
                    "ad_revenue", bills, wrong=({"date": f"{month}-32"}, {"impressions": -1})
                ),
                out.again("ad_revenue", corrected),
            ),
        )


def _later(calendar: Calendar, day: int) -> dt.datetime:
    return calendar.instant(day + 9, 32_000)


def _day_bills(
    chance: np.random.Generator, calendar: Calendar, reading: "Reading", day: int
) -> Iterator[dict[str, object]]:
    for place, placement in enumerate(RPM):
        for device, name in enumerate(DEVICES):
            views = int(reading.page_views[day, place, device])
            impressions = round(views * chance.uniform(1.8, 2.2))
            revenue = views * RPM[placement] / 1000 * chance.uniform(0.8, 1.2)
            if views:
                yield _bill(calendar, day, placement, name, impressions, revenue)
    if calendar.date(day).weekday() == 0:
        # The newsletter's sponsor: nobody's page view, so nobody's visitor value.
        yield _bill(calendar, day, "newsletter", "", 4000, chance.uniform(30, 60))


def _bill(
    calendar: Calendar, day: int, placement: str, device: str, impressions: int, revenue: float
) -> dict[str, object]:
    return {
        "date": calendar.date(day).isoformat(),
        "slot": placement,
        "device": device,
        "impressions": impressions,
        "net": f"{revenue:.2f}",
        "changed": calendar.instant(day + 1, 20_000),
    }


def _write_costs(out: Folder, chance: np.random.Generator, calendar: Calendar) -> None:
    def costs() -> Iterator[dict[str, object]]:
        for day in range(calendar.days):
            for kind, channel, least, most in (
                ("acquisition", "social", 40, 90),
                ("acquisition", "search", 60, 120),
                ("acquisition", "campaign", 0, 150),
                ("content", "", 2_000, 2_300),
                ("service", "", 280, 340),
            ):
                yield {
                    "date": calendar.date(day).isoformat(),
                    "kind": kind,
                    "channel": channel,
                    "net": f"{chance.uniform(least, most):.2f}",
                }

    wrong = ({"kind": "muu"}, {"net": "n/a"})
    out.csv("costs.csv", out.first("costs", costs(), wrong=wrong))


def _write_rates(out: Folder, chance: np.random.Generator, calendar: Calendar) -> None:
    """Rates a week apart, from before the oldest payment."""

    def rates() -> Iterator[dict[str, object]]:
        rate = 1 / SEK_RATE
        for day in range(-1100, calendar.days, 7):
            rate *= 1 + chance.normal(0, 0.004)
            yield {"date": calendar.date(day).isoformat(), "code": "SEK", "eur": f"{rate:.6f}"}

    out.csv("exchange_rates.csv", out.first("exchange_rates", rates(), wrong=({"eur": "0"},)))
