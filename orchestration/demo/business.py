"""What readers buy: trials, subscriptions and how they go on and end.

Purchases and churn of a 28-day block are drawn from who was seen in the block before, and from
nothing else that a later estimate could mistake for it: what is planted is what happens. What the
billing system exports of it is in money.py.
"""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from orchestration.demo.calendar import BLOCK_DAYS, Calendar
from orchestration.demo.files import Folder
from orchestration.demo.people import Crowd
from orchestration.demo.worlds import World

# Chance of a first purchase in a block; what multiplies it is the world's.
PURCHASE = 0.01
# Chance to leave in a block by plan, and by how much not reading multiplies it.
HAZARD = {"digital": 0.045, "weekend": 0.03, "weekly": 0.06, "print": 0.015, "digital_year": 0.012}
SLEEPER_RATIO = 3.0
REFERRED_SHARE = 0.12
CALL_RATIO = 0.6
SWITCH, PAUSE, PAST_DUE, REACTIVATION, IDLE_TRIAL = 0.015, 0.008, 0.03, 0.05, 0.006
TRIAL_SHARE, DISCOUNT_SHARE, SEK_SHARE = 0.4, 0.3, 0.04
TRIAL_DAYS, DISCOUNT_DAYS, UNPAID_DAYS = 14, 84, 9
# Of the accounts, those that subscribe when the half year begins, and those that once did.
SUBSCRIBER_SHARE, FORMER_SHARE = 0.24, 0.06
LONGEST_HISTORY_DAYS = 1000
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
REASONS = ("cancelled", "too_expensive", "no_time", "payment_failure")
REASON_SHARES = (0.35, 0.2, 0.15, 0.3)
# An initiative: its name, every how manieth account it treats, the ratio of hazards it causes.
CALL_EVERY, NEWSLETTER_EVERY, TREATED_FROM_SHARE = 2, 3, 0.5
TREATS_EVERY = {"welcome_call": CALL_EVERY, "new_newsletter": NEWSLETTER_EVERY}


@dataclass(slots=True)
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
    # The day on which the introductory price gives way to the full one.
    discounted_until: int | None = None


@dataclass
class Business:
    """All subscriptions as they come and go."""

    chance: np.random.Generator
    calendar: Calendar
    crowd: Crowd
    world: World
    periods: list[Period] = field(default_factory=list)
    current: dict[int, Period] = field(default_factory=dict)
    former: dict[int, tuple[str, int]] = field(default_factory=dict)
    referred_by: dict[int, int] = field(default_factory=dict)
    referrals: list[tuple[int, int, int]] = field(default_factory=list)
    exits: list[tuple[int, int, str]] = field(default_factory=list)
    purchases: dict[int, list[int]] = field(default_factory=dict)
    first_bought: dict[int, int] = field(default_factory=dict)
    tried: set[int] = field(default_factory=set)
    # Who means to buy in the block that begins next, in the one after it, and so on.
    intents: list[npt.NDArray[np.bool_]] = field(default_factory=list)
    abandoned: dict[int, list[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Starts with those who subscribe on the first day, or did so before it."""
        crowd, chance = self.crowd, self.chance
        count = round(crowd.accounts * (SUBSCRIBER_SHARE + FORMER_SHARE))
        weight = np.sqrt(crowd.daily[: crowd.accounts])
        chosen = chance.choice(crowd.accounts, count, replace=False, p=weight / weight.sum())
        is_former = chance.random(count) < FORMER_SHARE / (SUBSCRIBER_SHARE + FORMER_SHARE)
        for account, has_left in zip(chosen.tolist(), is_former.tolist(), strict=True):
            start = -int(chance.integers(60 if has_left else 10, LONGEST_HISTORY_DAYS))
            crowd.registered_day[account] = min(crowd.registered_day[account], start - 1)
            period = self._subscribe(account, start, is_discounted=chance.random() < 0.1)
            if has_left:
                end = start + int(chance.integers(28, -start))
                self._close(self._at_full_price(period, end), end, self._why())
                self.former[account] = (self.current.pop(account).plan, end)
            else:
                self._at_full_price(period, 0)
        # Readers who pay are logged in more often than the rest.
        crowd.login[chosen] = np.maximum(crowd.login[chosen], 0.85)
        # Who bought in the first blocks had been to the checkout before the first day.
        self.intents = [self._intending(0), self._intending(0)]
        self._read_by_intent(self.intents[0])

    def plan_block(self, day: int, is_active: npt.NDArray[np.bool_]) -> None:
        """Draws who buys and who leaves in the block that begins on a day.

        Args:
            day: First day of the block. The block after the last day matters too: who will buy in
                it may be trying now.
            is_active: Which accounts were seen in the block before.
        """
        intending = self.intents.pop(0)
        self._read_by_intent(self.intents[0])
        self._intend(day)
        self._purchases(day, is_active, intending)
        self._movements(day, is_active)
        self._reactivations(day)

    def actions(self, day: int) -> list[int]:
        """Accounts that go to the checkout on a day, to buy or to turn back."""
        return self.purchases.get(day, []) + self.abandoned.get(day, [])

    def inviter(self, account: int) -> int | None:
        """The account that invited one to register, which it can only have done earlier."""
        referrer = self.referred_by.get(account)
        registered = self.crowd.registered_day
        if referrer is None or registered[referrer] >= registered[account]:
            return None
        return referrer

    def truths(self) -> dict[str, Any]:
        """What was planted in the purchases and the churn."""
        treated_from = self.calendar.date(self._first_treated_day()).isoformat()
        referred = sum(0 <= day < self.calendar.days for day, _, _ in self.referrals)
        first = sum(0 <= day < self.calendar.days for day in self.first_bought.values())
        return {
            "activity_to_first_purchase_risk_ratio": {
                "value": self.world.activity_ratio,
                "definition": "accounts with an event in the 28 days before t0 against those "
                "without; outcome a first purchase in the 28 days from t0; t0 = last day - 27, or "
                "28, 56 … days before; registered before t0, no purchase before",
                "chance_of_the_unexposed": PURCHASE,
                **self._intent_truths(),
            },
            "churn_hazard_by_plan": {
                "value": HAZARD,
                "definition": "chance that a subscription whose period at t0 is active ends in "
                "the 28 days from t0, its holder having been active in the 28 days before and not "
                "being treated by an initiative; t0 as above",
            },
            "churn_ratio_of_subscribers_who_do_not_use": {
                "value": SLEEPER_RATIO,
                "definition": "hazard of holders without an event in the 28 days before t0 over "
                "that of the others",
            },
            "referred_share_of_first_purchases": {
                "value": REFERRED_SHARE,
                "definition": "first purchases since the first day that a referral with the "
                "outcome subscription stands for, over all of them",
                "referred": referred,
                "first_purchases": first,
            },
            "initiatives": [
                {
                    "name": "welcome call",
                    "treated": "accounts whose number in the raw id is even",
                    "every": CALL_EVERY,
                    "from_day": treated_from,
                    "churn_hazard_ratio": CALL_RATIO,
                },
                {
                    "name": "new newsletter",
                    "treated": "accounts whose number in the raw id is divisible by three",
                    "every": NEWSLETTER_EVERY,
                    "from_day": treated_from,
                    "churn_hazard_ratio": 1.0,
                },
            ],
        }

    def write_members(self, out: Folder) -> None:
        """The lists of the initiatives, as a campaign tool exports them: whom each treats."""
        # A demo too short for an initiative has lists all the same, as of its last day: a later
        # one would be taken for the day the data reach to.
        on = self.calendar.instant(min(self._first_treated_day(), self.calendar.days - 1), 30_000)
        out.csv(
            "initiative_members.csv",
            out.first(
                "initiative_members",
                (
                    {"initiative": initiative, "customer": account, "arm": "treated", "at": on}
                    for initiative, every in TREATS_EVERY.items()
                    for account in self.crowd.account_ids[::every]
                ),
                wrong=({"arm": "maybe"}, {"initiative": ""}),
            ),
        )

    def _first_treated_day(self) -> int:
        """The block begins on it that first lies in the second half."""
        half = int(np.ceil(self.calendar.days * TREATED_FROM_SHARE))
        return half + (self.calendar.days - half) % BLOCK_DAYS

    def _intent_truths(self) -> dict[str, Any]:
        """What intent does, in a world where somebody has any."""
        world = self.world
        if not world.intent_share:
            return {}
        return {
            "among": "accounts that mean to buy, and among those that do not; over both together "
            "the ratio is higher, as intent drives activity as well",
            "intent": {
                "purchase_risk_ratio": world.intent_ratio,
                "share_of_accounts": world.intent_share,
                "shown_by": "an event of the type checkout from 56 to 29 days before t0, which "
                "nobody without intent to buy in the 28 days from t0 has",
                "reading_ratio": dict(zip(("without", "with"), world.reading_ratios, strict=True)),
            },
        }

    def _intending(self, day: int) -> npt.NDArray[np.bool_]:
        """Draws who means to buy in a later block; nothing, in a world without intent."""
        crowd = self.crowd
        if not self.world.intent_share:
            return np.zeros(crowd.accounts, dtype=np.bool_)
        intending = self.chance.random(crowd.accounts) < self.world.intent_share
        intending &= crowd.registered_day < day
        intending[list(self.first_bought)] = False
        return intending

    def _intend(self, day: int) -> None:
        """Who means to buy in the block after the next goes to the checkout in this one."""
        self.intents.append(self._intending(day))
        for account in np.flatnonzero(self.intents[-1]).tolist():
            on = day + int(self.chance.integers(0, BLOCK_DAYS))
            self.abandoned.setdefault(on, []).append(account)

    def _read_by_intent(self, intending: npt.NDArray[np.bool_]) -> None:
        """Who means to buy in the next block reads more in this one, and the others less."""
        without, with_intent = self.world.reading_ratios
        keenness = np.where(intending, with_intent, without)
        keenness[list(self.first_bought)] = 1.0
        self.crowd.keenness[: self.crowd.accounts] = keenness

    def _purchases(
        self, day: int, is_active: npt.NDArray[np.bool_], intending: npt.NDArray[np.bool_]
    ) -> None:
        crowd, chance, world = self.crowd, self.chance, self.world
        may = crowd.registered_day < day
        may[list(self.first_bought)] = False
        risk = np.where(is_active, PURCHASE * world.activity_ratio, PURCHASE)
        risk[intending] *= world.intent_ratio
        roll = chance.random(crowd.accounts)
        subscribers = list(self.current)
        for account in np.flatnonzero(may & (roll < risk)).tolist():
            on = day + int(chance.integers(0, BLOCK_DAYS))
            if subscribers and chance.random() < REFERRED_SHARE:
                referrer = subscribers[int(chance.integers(0, len(subscribers)))]
                self.referred_by[account] = referrer
                self.referrals.append((on, referrer, account))
            # Nobody tries twice, or before he has an account.
            may_try = account not in self.tried and crowd.registered_day[account] < on - TRIAL_DAYS
            self._subscribe(
                account,
                on,
                is_tried=may_try and chance.random() < TRIAL_SHARE,
                is_discounted=chance.random() < DISCOUNT_SHARE,
            )
            self.purchases.setdefault(on, []).append(account)
        for account in np.flatnonzero(may & (roll > 1 - IDLE_TRIAL)).tolist():
            on = day + int(chance.integers(0, BLOCK_DAYS - TRIAL_DAYS))
            if account not in self.tried:
                self.tried.add(account)
                self._close(
                    self._open(account, on, "digital", "trial"), on + TRIAL_DAYS, "trial_ended"
                )
                del self.current[account]

    def _subscribe(
        self, account: int, day: int, *, is_tried: bool = False, is_discounted: bool = False
    ) -> Period:
        """A first purchase on that day, perhaps after a trial, perhaps at half price at first."""
        plan = PLANS[self.chance.choice(len(PLANS), p=PLAN_SHARES)]
        name = None
        if is_tried:
            tried = self._open(account, day - TRIAL_DAYS, plan, "trial")
            self._close(tried, day, "converted")
            self.tried.add(account)
            name = tried.subscription
        self.first_bought[account] = day
        if is_discounted and PRICES[plan][1] == "month":
            period = self._open(account, day, plan, "active", name=name, share=0.5)
            period.discounted_until = day + DISCOUNT_DAYS
            return period
        return self._open(account, day, plan, "active", name=name)

    def _at_full_price(self, period: Period, before: int) -> Period:
        """The period that goes on when the introductory price ends before a day, if it does."""
        if period.discounted_until is None or period.discounted_until >= before:
            return period
        return self._follow(period, period.discounted_until, "active", "price_change")

    def _movements(self, day: int, is_active: npt.NDArray[np.bool_]) -> None:
        is_treated_time = day >= self._first_treated_day()
        for account, period in list(self.current.items()):
            if period.start >= day or period.status != "active":
                continue
            hazard = HAZARD[period.plan]
            hazard *= 1.0 if is_active[account] else SLEEPER_RATIO
            hazard *= CALL_RATIO if is_treated_time and account % CALL_EVERY == 0 else 1.0
            on = day + int(self.chance.integers(0, BLOCK_DAYS))
            roll = self.chance.random()
            if roll < hazard:
                self._leave(period, day, on)
            elif roll > 1 - SWITCH and period.plan in ("digital", "weekend"):
                other = "digital_year" if period.plan == "digital" else "digital"
                self._follow(self._at_full_price(period, on), on, "active", "switch", plan=other)
            elif 1 - SWITCH >= roll > 1 - SWITCH - PAUSE:
                paused = self._follow(self._at_full_price(period, on), on, "paused", "paused")
                self._follow(paused, on + BLOCK_DAYS, "active", "resumed")
            elif 1 - SWITCH - PAUSE >= roll > 1 - SWITCH - PAUSE - PAST_DUE:
                self._miss_a_payment(period, day)
            else:
                self._at_full_price(period, day + BLOCK_DAYS)

    def _miss_a_payment(self, period: Period, day: int) -> None:
        """The next bill is paid late, if one is due in the block."""
        period = self._at_full_price(period, day)
        due = next_bill(self.calendar, period, day)
        if due < min(day + BLOCK_DAYS, period.discounted_until or self.calendar.days + BLOCK_DAYS):
            unpaid = self._follow(period, due, "past_due", "payment_failed")
            self._follow(unpaid, due + UNPAID_DAYS, "active", "paid")
        else:
            self._at_full_price(period, day + BLOCK_DAYS)

    def _leave(self, period: Period, day: int, on: int) -> None:
        """The subscription ends in the block: on that day, or when a failed bill stays unpaid."""
        reason = self._why()
        period = self._at_full_price(period, on)
        due = next_bill(self.calendar, period, max(day, period.start + 1))
        if reason == "payment_failure" and due + UNPAID_DAYS < day + BLOCK_DAYS:
            period = self._at_full_price(period, due)
            period = self._follow(period, due, "past_due", "payment_failed")
            on = due + UNPAID_DAYS
        elif reason == "payment_failure":
            # Nothing fell due that could have failed.
            reason = "cancelled"
        self.exits.append((on, period.account, reason))
        self._close(period, on, reason)
        del self.current[period.account]
        self.former[period.account] = (period.plan, on)

    def _why(self) -> str:
        return REASONS[self.chance.choice(len(REASONS), p=REASON_SHARES)]

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


def billing_days(calendar: Calendar, period: Period, end: int) -> Iterator[int]:
    """Days before `end` on which a period is billed: its first, and every billing period after."""
    interval = PRICES[period.plan][1]
    if interval == "week":
        yield from range(period.start, end, 7)
        return
    step = {"month": 1, "quarter": 3, "year": 12}[interval]
    first = calendar.date(period.start)
    day, months = period.start, 0
    while day < end:
        yield day
        months += step
        year, month = divmod(first.month - 1 + months, 12)
        # The 29th to 31st are billed on the 28th: no month misses its bill.
        due = dt.date(first.year + year, month + 1, min(first.day, 28))
        day = (due - calendar.first_day).days


def next_bill(calendar: Calendar, period: Period, day: int) -> int:
    """The first day from `day` on which a period is billed again."""
    return next(
        due
        for due in billing_days(calendar, period, day + 400)
        if due >= day and due > period.start
    )
