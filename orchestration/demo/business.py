"""What readers buy: trials, subscriptions and their endings, payments, bills, costs and rates.

Purchases and churn of a 28-day block are drawn from who was seen in the block before, and from
nothing else that a later estimate could mistake for it: what is planted is what happens.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from orchestration.demo.calendar import BLOCK_DAYS, Calendar
from orchestration.demo.files import Folder
from orchestration.demo.people import DEVICES, Crowd

if TYPE_CHECKING:
    from orchestration.demo.visits import Reading

# Chance of a first purchase in a block, and by how much having been active multiplies it.
PURCHASE, ACTIVITY_RATIO = 0.01, 6.0
# Chance to leave in a block by plan, and by how much not reading multiplies it.
HAZARD = {"digital": 0.045, "weekend": 0.03, "weekly": 0.06, "print": 0.015, "digital_year": 0.012}
SLEEPER_RATIO = 3.0
REFERRED_SHARE = 0.12
CALL_RATIO = 0.6
SWITCH, PAUSE, PAST_DUE, REACTIVATION, IDLE_TRIAL = 0.015, 0.008, 0.03, 0.05, 0.004
TRIAL_SHARE, DISCOUNT_SHARE, SEK_SHARE = 0.4, 0.3, 0.04
TRIAL_DAYS, DISCOUNT_DAYS, UNPAID_DAYS, SUBSCRIBER_SHARE = 14, 84, 9, 0.24
PRICES = {
    "digital": (12.9, "month"),
    "weekend": (7.9, "month"),
    "weekly": (3.9, "week"),
    "print": (99.0, "quarter"),
    "digital_year": (129.0, "year"),
}
PLANS = tuple(PRICES)
PLAN_SHARES = (0.5, 0.2, 0.08, 0.1, 0.12)
SEK_RATE = 11.2
RPM = {"article": 6.5, "front": 9.0}
REASONS = ("cancelled", "too_expensive", "no_time", "payment_failure")

TRUTHS: dict[str, Any] = {
    "activity_to_first_purchase_risk_ratio": {
        "value": ACTIVITY_RATIO,
        "definition": "accounts with an event in the 28 days before t0 against those without; "
        "outcome a first purchase in the 28 days from t0; t0 = last day - 27, or 28, 56 … days "
        "before; registered before t0, no purchase before",
        "chance_of_the_unexposed": PURCHASE,
    },
    "churn_hazard_by_plan": {
        "value": HAZARD,
        "definition": "chance that a subscription active at t0 ends in the 28 days from t0, its "
        "holder having been active in the 28 days before",
    },
    "churn_ratio_of_subscribers_who_do_not_use": {
        "value": SLEEPER_RATIO,
        "definition": "hazard of holders without an event in the 28 days before t0 over that of "
        "the others",
    },
    "referred_share_of_first_purchases": {"value": REFERRED_SHARE},
    "initiatives": [
        {
            "name": "welcome call",
            "treated": "accounts whose number in the id is even",
            "from_share_of_days": 0.5,
            "churn_hazard_ratio": CALL_RATIO,
        },
        {
            "name": "new newsletter",
            "treated": "accounts whose number in the id is divisible by three",
            "from_share_of_days": 0.5,
            "churn_hazard_ratio": 1.0,
        },
    ],
}


@dataclass
class Period:
    """A period of a subscription at one price; days are numbers of the calendar."""

    subscription: str
    account: int
    plan: str
    status: str
    start: int
    second: int
    amount: float
    currency: str
    end: int | None = None
    reason: str | None = None


@dataclass
class Business:
    """All subscriptions as they come and go."""

    chance: np.random.Generator
    calendar: Calendar
    crowd: Crowd
    periods: list[Period] = field(default_factory=list)
    current: dict[int, Period] = field(default_factory=dict)
    former: dict[int, tuple[str, int]] = field(default_factory=dict)
    referred_by: dict[int, int] = field(default_factory=dict)
    referrals: list[tuple[int, int, int]] = field(default_factory=list)
    exits: list[tuple[int, int, str]] = field(default_factory=list)
    purchases: dict[int, list[int]] = field(default_factory=dict)
    bought: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Starts with those who subscribed before the first day."""
        crowd, chance = self.crowd, self.chance
        count = round(crowd.accounts * SUBSCRIBER_SHARE)
        weight = np.sqrt(crowd.daily[: crowd.accounts])
        chosen = chance.choice(crowd.accounts, count, replace=False, p=weight / weight.sum())
        for account in chosen.tolist():
            start = -int(chance.integers(10, 1000))
            crowd.registered_day[account] = min(crowd.registered_day[account], start - 1)
            self._subscribe(account, start, is_discounted=chance.random() < 0.1)
        # Readers who pay are logged in more often than the rest.
        crowd.login[chosen] = np.maximum(crowd.login[chosen], 0.85)

    def plan_block(self, day: int, seen: npt.NDArray[np.bool_]) -> None:
        """Draws who buys and who leaves in the block that begins on a day."""
        active = seen[: self.crowd.accounts]
        self._purchases(day, active)
        self._movements(day, active)
        self._reactivations(day)

    def actions(self, day: int) -> list[int]:
        """Accounts that buy on a day."""
        return self.purchases.get(day, [])

    def is_subscriber(self) -> npt.NDArray[np.bool_]:
        """Which accounts have a subscription now."""
        mask = np.zeros(self.crowd.accounts, dtype=np.bool_)
        mask[list(self.current)] = True
        return mask

    def _purchases(self, day: int, active: npt.NDArray[np.bool_]) -> None:
        crowd, chance = self.crowd, self.chance
        may = crowd.registered_day < day
        may[list(self.bought)] = False
        risk = np.where(active, PURCHASE * ACTIVITY_RATIO, PURCHASE)
        roll = chance.random(crowd.accounts)
        for account in np.flatnonzero(may & (roll < risk)).tolist():
            on = day + int(chance.integers(0, BLOCK_DAYS))
            if self.current and chance.random() < REFERRED_SHARE:
                referrer = list(self.current)[int(chance.integers(0, len(self.current)))]
                self.referred_by[account] = referrer
                self.referrals.append((on, referrer, account))
            self._subscribe(
                account,
                on,
                is_tried=chance.random() < TRIAL_SHARE,
                is_discounted=chance.random() < DISCOUNT_SHARE,
            )
            self.purchases.setdefault(on, []).append(account)
        for account in np.flatnonzero(may & (roll > 1 - IDLE_TRIAL)).tolist():
            on = day + int(chance.integers(0, BLOCK_DAYS - TRIAL_DAYS))
            tried = self._open(account, on, "digital", "trial")
            self._close(tried, on + TRIAL_DAYS, "trial_ended")
            del self.current[account]

    def _subscribe(
        self, account: int, day: int, *, is_tried: bool = False, is_discounted: bool = False
    ) -> None:
        """A first purchase on that day, perhaps after a trial, perhaps at half price at first."""
        plan = PLANS[self.chance.choice(len(PLANS), p=PLAN_SHARES)]
        name = None
        if is_tried:
            tried = self._open(account, day - TRIAL_DAYS, plan, "trial")
            self._close(tried, day, "converted")
            name = tried.subscription
        self.bought.add(account)
        if is_discounted and PRICES[plan][1] == "month":
            first = self._open(account, day, plan, "active", name=name, share=0.5)
            if day + DISCOUNT_DAYS < self.calendar.days:
                self._close(first, day + DISCOUNT_DAYS, "price_change")
                self._open(account, day + DISCOUNT_DAYS, plan, "active", name=first.subscription)
        else:
            self._open(account, day, plan, "active", name=name)

    def _movements(self, day: int, active: npt.NDArray[np.bool_]) -> None:
        is_called = day >= self.calendar.days * 0.5
        for account, period in list(self.current.items()):
            if period.start >= day or period.status != "active":
                continue
            hazard = HAZARD[period.plan]
            hazard *= 1.0 if active[account] else SLEEPER_RATIO
            hazard *= CALL_RATIO if is_called and account % 2 == 0 else 1.0
            on = day + int(self.chance.integers(0, BLOCK_DAYS))
            roll = self.chance.random()
            if roll < hazard:
                self._leave(period, on)
            elif roll > 1 - SWITCH and period.plan in ("digital", "weekend"):
                other = "digital_year" if period.plan == "digital" else "digital"
                self._follow(period, on, "active", "switch", plan=other)
            elif roll > 1 - SWITCH - PAUSE:
                paused = self._follow(period, on, "paused", "paused")
                self._follow(paused, on + BLOCK_DAYS, "active", "resumed")
            elif roll > 1 - SWITCH - PAUSE - PAST_DUE:
                unpaid = self._follow(period, on, "past_due", "payment_failed")
                self._follow(unpaid, on + UNPAID_DAYS, "active", "paid")

    def _leave(self, period: Period, day: int) -> None:
        reason = REASONS[self.chance.choice(4, p=[0.45, 0.2, 0.15, 0.2])]
        self.exits.append((day, period.account, reason))
        if reason == "payment_failure":
            period = self._follow(period, day, "past_due", "payment_failed")
            day += UNPAID_DAYS
        self._close(period, day, reason)
        del self.current[period.account]
        self.former[period.account] = (period.plan, day)

    def _reactivations(self, day: int) -> None:
        for account in [a for a in self.former if self.chance.random() < REACTIVATION]:
            plan, ended = self.former.pop(account)
            on = max(day + int(self.chance.integers(0, BLOCK_DAYS)), ended + 1)
            self._open(account, on, plan, "active")

    def _follow(
        self, period: Period, day: int, status: str, reason: str, plan: str | None = None
    ) -> Period:
        self._close(period, day, reason)
        return self._open(
            period.account, day, plan or period.plan, status, name=period.subscription
        )

    def _open(
        self,
        account: int,
        day: int,
        plan: str,
        status: str,
        *,
        name: str | None = None,
        share: float = 1.0,
    ) -> Period:
        is_sek = account % 100 < SEK_SHARE * 100
        amount = PRICES[plan][0] * (round(SEK_RATE) if is_sek else 1) * share
        period = Period(
            subscription=name or f"S{len(self.periods):07}",
            account=account,
            plan=plan,
            status=status,
            start=day,
            second=30_000 + account % 40_000,
            amount=round(amount, 2),
            currency="SEK" if is_sek else "EUR",
        )
        self.periods.append(period)
        self.current[account] = period
        return period

    def _close(self, period: Period, day: int, reason: str) -> None:
        period.end, period.reason = day, reason


def write(
    out: Folder,
    chance: np.random.Generator,
    calendar: Calendar,
    trade: Business,
    reading: "Reading",
) -> None:
    """The billing system's, the advertising sales' and the controller's exports."""
    _write_subscriptions(out, calendar, trade)
    _write_payments(out, chance, calendar, trade)
    _write_ad_revenue(out, chance, calendar, reading)
    _write_costs(out, chance, calendar)
    _write_rates(out, chance, calendar)


def _write_subscriptions(out: Folder, calendar: Calendar, trade: Business) -> None:
    """Semicolons and decimal commas, as a Finnish spreadsheet has them; gzipped."""
    # What lies after the last day has not happened yet: a period ends, or begins, unknown to us.
    known = [p for p in trade.periods if p.start < calendar.days]
    rows = []
    for number, period in enumerate(known):
        has_ended = period.end is not None and period.end < calendar.days
        changed = period.end if has_ended and period.end is not None else max(period.start, 0)
        row = {
            "subscription": period.subscription,
            "customer": trade.crowd.account_ids[period.account],
            "product": period.plan,
            "state": period.status,
            "from": calendar.instant(period.start, period.second),
            "to": calendar.instant(period.end, period.second)
            if has_ended and period.end is not None
            else "",
            "price": f"{period.amount:.2f}".replace(".", ","),
            "currency": period.currency,
            "interval": PRICES[period.plan][1],
            "reason": period.reason if has_ended else "",
            "changed": calendar.instant(changed, period.second),
        }
        if has_ended and number % 20 == 0:
            # The version from before it ended; the later one wins.
            before = calendar.instant(max(period.start, -2000), period.second)
            rows.append(dict(row, to="", reason="", changed=before))
        rows.append(row)
    keys = len({(row["subscription"], row["from"]) for row in rows})
    bad = [dict(rows[0], state="kestotilaus"), dict(rows[1], price="ilmainen")]
    out.csv("subscriptions.csv.gz", [*rows, *bad], delimiter=";")
    out.count("subscriptions", rows=len(rows) + 2, bad=2, keys=keys)


def _write_payments(
    out: Folder, chance: np.random.Generator, calendar: Calendar, trade: Business
) -> None:
    rows: list[dict[str, object]] = []
    for period in trade.periods:
        if period.status != "active":
            continue
        end = min(calendar.days if period.end is None else period.end, calendar.days)
        for day in _billing_days(calendar, period, end):
            rows.append(_payment(calendar, trade, period, day, len(rows)))
            if chance.random() < 0.008 and day + 3 < calendar.days:
                refund = _payment(calendar, trade, period, day + 3, len(rows))
                rows.append(dict(refund, sum=f"-{period.amount:.2f}", type="refund"))
    for account in sorted(trade.bought):
        if chance.random() < 0.03:
            day = int(chance.integers(0, calendar.days))
            kind, amount = (("donation", 20), ("purchase", 3.5))[int(chance.integers(0, 2))]
            rows.append(
                {
                    "booking": f"P{len(rows):08}",
                    "customer": trade.crowd.account_ids[account],
                    "booked_at": calendar.instant(day, 50_000),
                    "sum": f"{amount:.2f}",
                    "currency": "EUR",
                    "type": kind,
                    "subscription": "",
                }
            )
    keys = len(rows)
    bad = [dict(rows[0], sum="12,9o", booking="P-1"), dict(rows[1], type="gift", booking="P-2")]
    out.csv("payments.csv", [*rows, *bad, rows[2]])
    out.count("payments", rows=keys + 3, bad=2, keys=keys)


def _billing_days(calendar: Calendar, period: Period, end: int) -> Sequence[int]:
    """Days on which a period is billed: its first, and every billing period after."""
    interval = PRICES[period.plan][1]
    if interval == "week":
        return range(period.start, end, 7)
    step = {"month": 1, "quarter": 3, "year": 12}[interval]
    first = calendar.date(period.start)
    found = []
    for count in range(0, 1200, step):
        month = first.month - 1 + count
        # The 29th to 31st are billed on the 28th: no month misses its bill.
        on = dt.date(first.year + month // 12, month % 12 + 1, min(first.day, 28))
        day = period.start if count == 0 else (on - calendar.first_day).days
        if day >= end:
            break
        found.append(day)
    return found


def _payment(
    calendar: Calendar, trade: Business, period: Period, day: int, number: int
) -> dict[str, object]:
    return {
        "booking": f"P{number:08}",
        "customer": trade.crowd.account_ids[period.account],
        "booked_at": calendar.instant(day, period.second),
        "sum": f"{period.amount:.2f}",
        "currency": period.currency,
        "type": "subscription",
        "subscription": period.subscription,
    }


def _write_ad_revenue(
    out: Folder, chance: np.random.Generator, calendar: Calendar, reading: "Reading"
) -> None:
    """A file a month, as the advertising server's invoices come."""
    by_month: dict[str, list[dict[str, object]]] = {}
    for day in range(calendar.days):
        date = calendar.date(day)
        rows = by_month.setdefault(f"{date:%Y-%m}", [])
        for place, placement in enumerate(RPM):
            for device, name in enumerate(DEVICES):
                views = int(reading.page_views[day, place, device])
                if views == 0:
                    continue
                impressions = round(views * chance.uniform(1.8, 2.2))
                revenue = views * RPM[placement] / 1000 * chance.uniform(0.8, 1.2)
                rows.append(_bill(date, placement, name, impressions, revenue))
        if date.weekday() == 0:
            # The newsletter's sponsor: nobody's page view, so nobody's visitor value.
            rows.append(_bill(date, "newsletter", "", 4000, chance.uniform(30, 60)))
    every = 0
    for month, rows in by_month.items():
        every += len(rows)
        out.csv(f"ad_revenue/{month}.csv", rows)
    out.count("ad_revenue", rows=every, bad=0, keys=every)


def _bill(
    day: dt.date, placement: str, device: str, impressions: int, revenue: float
) -> dict[str, object]:
    return {
        "date": day.isoformat(),
        "slot": placement,
        "device": device,
        "impressions": impressions,
        "net": f"{revenue:.2f}",
    }


def _write_costs(out: Folder, chance: np.random.Generator, calendar: Calendar) -> None:
    rows = []
    for day in range(calendar.days):
        date = calendar.date(day).isoformat()
        rows += [
            {"date": date, "kind": "acquisition", "channel": channel, "net": amount}
            for channel, amount in (
                ("social", round(chance.uniform(40, 90), 2)),
                ("search", round(chance.uniform(60, 120), 2)),
                ("campaign", round(chance.uniform(0, 150), 2)),
            )
        ]
        rows.append({"date": date, "kind": "content", "channel": "", "net": 2150.0})
        rows.append({"date": date, "kind": "service", "channel": "", "net": 310.5})
    out.csv("costs.csv", rows)
    out.count("costs", rows=len(rows), bad=0, keys=len(rows))


def _write_rates(out: Folder, chance: np.random.Generator, calendar: Calendar) -> None:
    """Rates a week apart, from before the oldest payment."""
    rows = []
    rate = 1 / SEK_RATE
    for day in range(-1100, calendar.days, 7):
        rate *= 1 + chance.normal(0, 0.004)
        rows.append({"date": calendar.date(day).isoformat(), "code": "SEK", "eur": f"{rate:.6f}"})
    out.csv("exchange_rates.csv", rows)
    out.count("exchange_rates", rows=len(rows), bad=0, keys=len(rows))
