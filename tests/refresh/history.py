"""Invented histories of a small publisher, and how one lives through them.

Everything is in them that makes the order of arrival matter: repeated events that say different
days, late events, visitors who turn out to be an account or to share a device, sessions and open
pages across midnights (one of them in the night the clocks change), corrected rows of every feed,
changed plans, refunds, late bills, changed rates, files that repeat others or grow.

`rows` gives versions of which the source says itself (`updated_at`) which is latest: they may be
cut into files in any way. `history` gives files, in which a file's time, its name and the place
in it may decide as well (decision 0002): those may arrive in any order.
"""

import datetime as dt
import itertools
import random
import zoneinfo
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from orchestration.contracts import contracts
from tests.refresh.small import FIRST_FILE_AT, Small

Row = Mapping[str, Any]
Rows = list[tuple[str, Row]]
Tables = dict[str, list[tuple[Any, ...]]]

FEEDS = tuple(contracts())
TIME_ZONE = zoneinfo.ZoneInfo("Europe/Helsinki")
# Its clocks go forward on 31 March 2024, and went back on 29 October 2023.
SPRING = dt.datetime(2024, 3, 28, 6)
AUTUMN = dt.datetime(2023, 10, 26, 6)
DAYS = 7
VISITORS = ("v1", "v2", "v3", "v4", "v5", "v6")
# Whose account a visitor logs in to: v2 is nobody's, v3 is shared.
LOGINS = {"v1": ["liisa"], "v3": ["liisa", "matti"], "v4": ["matti"], "v5": ["aino"]}
# All his earlier days become an account's when he logs in at last.
LATE_LOGIN, LATE_LOGIN_DAY = ("v6", "pekka"), 5
ACCOUNTS = ("liisa", "matti", "aino", "pekka")
# Rows of a file of events that is of some hours.
SHORT = 40
CURRENCIES = ("EUR", "SEK", "USD")
# What a payment is of that is no refund.
KINDS = ("subscription", "purchase", "donation")
# What is wanted, and done about it, in the days that histories live through.
GOALS = """
goals:
  - {id: all, title: All, unit: board, owner: o, rollup: weighted, start: 2023-10-01,
     end: 2024-12-31}
  - {id: views, parent: all, weight: 0.5, title: Views, unit: news, owner: o, metric: page_views,
     baseline: 1, target: 2, start: 2023-10-01, end: 2024-12-31}
  - {id: mrr, parent: all, weight: 0.5, title: Revenue, unit: sales, owner: o, metric: mrr,
     baseline: 1, target: 2, start: 2023-10-01, end: 2024-12-31}
  - {id: known, title: Known, unit: news, owner: o, metric: stitched_share,
     baseline: 0.1, target: 0.9, start: 2023-10-01, end: 2024-12-31}
"""
INITIATIVES = """
initiatives:
  - {id: call, title: Call, goal: views, owner: o, start: 2024-03-31, cost: 1, treated: list,
     control: list, outcome: page_views, period_days: 1}
  - {id: finns, title: Finns, goal: mrr, owner: o, start: 2023-10-29, cost: 1, period_days: 1,
     treated: {sql: select customer_id from customers where session_count > 1}, control: others,
     outcome: active}
"""
# What landing told of deliveries, not of what was delivered: differs when rows come again.
TELL_OF_DELIVERIES = ("staging.stg_event_keys", "staging.stg_event_repeats")


def publisher(folder: Path) -> Small:
    """A publisher in an empty folder to whom histories happen."""
    return Small(folder, FEEDS).assume().want(GOALS, INITIATIVES)


@dataclass(frozen=True)
class File:
    """A file of a feed; two of the same feed and number are the same path, grown meanwhile."""

    feed: str
    number: int
    modified_at: dt.datetime
    rows: tuple[Row, ...]

    @property
    def name(self) -> str:
        """Its name in the publisher's folder."""
        return f"{self.feed}-{self.number:05}.jsonl"


@dataclass(frozen=True)
class Arrival:
    """Files that come before a refresh, and that refresh.

    Attributes:
        files: What comes.
        as_of: The day asked for, or None for the latest one landed.
        dies_before: Where the refresh is killed: before "models" or "marts"; None: it is not.
    """

    files: tuple[File, ...]
    as_of: dt.date | None = None
    dies_before: str | None = None


@dataclass(frozen=True)
class History:
    """Arrivals, the last of which is refreshed to its end."""

    seed: int
    arrivals: tuple[Arrival, ...]

    @property
    def files(self) -> tuple[File, ...]:
        """The files as they lie there in the end."""
        last = {file.name: file for arrival in self.arrivals for file in arrival.files}
        return tuple(last.values())

    @property
    def row_count(self) -> int:
        """Rows of all files that came."""
        return sum(len(file.rows) for arrival in self.arrivals for file in arrival.files)

    @property
    def batch_count(self) -> int:
        """Files that came, those that grew once more."""
        return sum(len(arrival.files) for arrival in self.arrivals)


def played(small: Small, made: History) -> Tables:
    """What the models hold after all arrivals, each refreshed as it comes."""
    is_first = True
    for arrival in made.arrivals:
        for file in arrival.files:
            small.put(file.feed, file.name, file.rows, file.modified_at)
        if arrival.dies_before:
            small.die(before=arrival.dies_before, as_of=arrival.as_of)
        else:
            assert small.build(as_of=arrival.as_of).is_full == is_first
            is_first = False
    return small.built()


def loaded(small: Small, made: History) -> Tables:
    """What the models hold after one refresh that finds all files there."""
    for file in made.files:
        small.put(file.feed, file.name, file.rows, file.modified_at)
    assert small.build(as_of=made.arrivals[-1].as_of).is_full
    return small.built()


def differences(one: Tables, other: Tables, *, but: tuple[str, ...] = ()) -> dict[str, str]:
    """Tables that differ, each with up to three rows that only one of the two has."""
    assert one.keys() == other.keys()
    assert any(one.values())
    return {
        name: _told(one[name], other[name])
        for name in one
        if name not in but and one[name] != other[name]
    }


def _told(one: list[tuple[Any, ...]], other: list[tuple[Any, ...]]) -> str:
    only_one = [row for row in one if row not in other]
    only_other = [row for row in other if row not in one]
    return (
        f"{len(one)} and {len(other)} rows; only in the first {len(only_one)}: {only_one[:3]}; "
        f"only in the second {len(only_other)}: {only_other[:3]}"
    )


def rows(seed: int, repeated_share: float, first_at: dt.datetime = SPRING) -> Rows:
    """The rows of a history, each with its feed; the same for the same seed."""
    making = _Making(random.Random(seed), first_at)  # noqa: S311
    return [*making.events(repeated_share), *making.versions()]


def history(seed: int) -> History:
    """Files of all feeds, and a random order in which they arrive; the same for the same seed."""
    chance = random.Random(seed)  # noqa: S311
    first_at = chance.choice((SPRING, AUTUMN))
    made = rows(seed, chance.choice((0, 0.02, 0.15)), first_at)
    files = [
        file
        for feed in FEEDS
        for file in _files(chance, feed, [row for each, row in made if each == feed])
    ]
    return History(seed, tuple(_arrivals(chance, files, first_at.date())))


def _files(chance: random.Random, feed: str, mine: list[Row]) -> Iterator[File]:
    """The feed's rows in files that overlap; copies of files; whole exports."""
    mine = _said_less_often_which_is_latest(chance, feed, mine)
    count = chance.choice((1, 2, 2))
    cuts = [cut for n in range(count) if (cut := mine[n::count])]
    if feed == "events":
        cuts = list(_long_and_short(chance, mine))
    # With all events there from the start the rest would bring nothing new.
    if chance.random() < (0.1 if feed == "events" else 0.25):
        cuts.append(chance.sample(mine, len(mine)))
    numbers = chance.sample(range(10, 1000, 10), len(cuts))
    for number, cut in zip(numbers, cuts, strict=True):
        late = chance.choices(mine, k=chance.choice((0, 0, 0, 1, 5)))
        at = FIRST_FILE_AT + dt.timedelta(hours=chance.randrange(2, 12))
        file = File(feed, number, at, tuple(cut + late))
        yield file
        if not _is_short(file) and chance.random() < 0.2:
            # With its time or, as a night's export that takes back a change, with its own.
            again_at = at + dt.timedelta(hours=chance.choice((0, 1, 4, 12)))
            yield replace(file, number=number + 1, modified_at=again_at)


def _long_and_short(chance: random.Random, events: list[Row]) -> Iterator[list[Row]]:
    """In the order of time; short parts are of some hours, many of them those before midnight."""
    events = sorted(events, key=lambda row: row["occurred_at"])
    days = [_local_day(row) for row in events]
    midnights = [place for place in range(1, len(days)) if days[place] > days[place - 1]]
    edges = {0, len(events)}
    for end in (*chance.sample(midnights, 2), chance.randrange(1, len(events))):
        edges |= {max(end - chance.randrange(2, SHORT), 0), end}
    for begin, end in itertools.pairwise(sorted(edges)):
        yield events[begin:end]


def _is_short(file: File) -> bool:
    return file.feed == "events" and len(file.rows) <= SHORT


def _said_less_often_which_is_latest(
    chance: random.Random, feed: str, mine: list[Row]
) -> list[Row]:
    """The rows of a source that does not always say when it changed one."""
    share = 0 if feed == "events" else chance.choice((0, 0.3, 1))
    return [
        {**row, "updated_at": None} if chance.random() < share else row
        for row in chance.sample(mine, len(mine))
    ]


def _arrivals(chance: random.Random, files: list[File], first_day: dt.date) -> Iterator[Arrival]:
    count = chance.choice((2, 2, 3, 3, 4))
    # When most is there from the start, later refreshes bring few feeds each.
    first_share = chance.choice((0.3, 0.6, 0.85, 0.95))
    places = {
        file.name: 0 if chance.random() < first_share else chance.randrange(1, count)
        for file in files
    }
    # What comes last touches few days: a day forgotten is not built again by chance. Bills are of
    # all days, and rates build all days of foreign bills.
    widest = chance.choice((("events",), ("events", "ad_revenue", "exchange_rates")))
    wide = [file.name for file in files if file.feed in widest and not _is_short(file)]
    places |= {name: chance.randrange(count - 1) for name in wide}
    # A feed that is configured has a file.
    first = {chance.choice([file.name for file in files if file.feed == feed]) for feed in FEEDS}
    rest = [file for file in files if file.name not in {*first, *wide}]
    late = [file for file in rest if file.feed == "events" or chance.random() < 0.1]
    places |= {**dict.fromkeys(first, 0), chance.choice(late or rest).name: count - 1}
    coming: list[list[File]] = [[] for _ in range(count)]
    for file in chance.sample(files, len(files)):
        place = places[file.name]
        coming[place].append(file)
        if place and not _is_short(file) and len(file.rows) > 1 and chance.random() < 0.3:
            begun = file.rows[: chance.randrange(1, len(file.rows))]
            earlier = file.modified_at - dt.timedelta(hours=1)
            grown = replace(file, rows=begun, modified_at=earlier)
            coming[chance.randrange(place)].append(grown)
    coming = [some for some in coming if some]
    days = (None, None, *(first_day + dt.timedelta(days=n) for n in (3, 5, 20)))
    # Where the day stays, a refresh builds only what comes of the feeds that changed.
    asked = chance.choice((days, days[:1], days[:1], days[-1:]))
    for some in coming:
        dies = chance.choice((None, None, None, None, "models", "marts"))
        is_last = some is coming[-1]
        yield Arrival(tuple(some), chance.choice(asked), None if is_last else dies)


@dataclass
class _Making:
    """Rows of every feed, drawn around a first day."""

    chance: random.Random
    first_at: dt.datetime
    updates: int = field(default=0)

    def events(self, repeated_share: float) -> Rows:
        made: Rows = []
        for visitor in VISITORS:
            at = self.first_at + dt.timedelta(minutes=self.chance.randrange(600))
            last = self.first_at + dt.timedelta(days=DAYS)
            while at < last:
                event = self._event(f"e{len(made)}", visitor, at)
                made.append(("events", event))
                if self.chance.random() < repeated_share:
                    made.append(("events", self._repeat(event)))
                # Often within the half hour that keeps a session going, sometimes hours later.
                minutes = self.chance.choice([0, 0.2, 0.25, 5, 29, 30, 31, 200, 700])
                at += dt.timedelta(minutes=minutes)
            # Busy without a pause, over two midnights or more, one of them when clocks change.
            if visitor == "v5":
                night = self.first_at + dt.timedelta(days=2, hours=14)
                made += [
                    ("events", self._event(f"n{n}", visitor, night + dt.timedelta(minutes=29 * n)))
                    for n in range(self.chance.choice([70, 70, 150]))
                ]
        return made

    def _event(self, event_id: str, visitor: str, at: dt.datetime) -> Row:
        received = at + dt.timedelta(seconds=self.chance.choice([1, 5, 60, 90_000]))
        accounts = LOGINS.get(visitor, [])
        if visitor == LATE_LOGIN[0] and (at - self.first_at).days >= LATE_LOGIN_DAY:
            accounts = [LATE_LOGIN[1]]
        return {
            "event_id": event_id,
            "occurred_at": _instant(at),
            "received_at": self.chance.choice([*[_instant(received)] * 9, None]),
            "visitor_id": visitor,
            "account_id": self.chance.choice([None, None, *accounts]),
            "event_type": self.chance.choice(["page_view", "heartbeat", "heartbeat", "share"]),
            "content_id": self.chance.choice(["a", "b", None]),
            "device": self.chance.choice(["mobile", "desktop", None]),
            "placement": self.chance.choice(["article", "front"]),
            "channel": self.chance.choice(["search", "direct", None]),
            "country": self.chance.choice(["FI", "SE", None]),
            "engaged_seconds": self.chance.choice([None] * 19 + [12.5]),
        }

    def _repeat(self, event: Row) -> Row:
        """The event delivered again: later or earlier, sometimes with another day or visitor."""
        changed = dict(event)
        if event["received_at"]:
            hours = self.chance.choice([-30, -1, 0, 1, 30])
            changed["received_at"] = _moved(event["received_at"], hours)
        if self.chance.random() < 0.5:
            changed["occurred_at"] = _moved(
                event["occurred_at"], self.chance.choice([-120, -24, -1, 26])
            )
        if self.chance.random() < 0.2:
            changed["visitor_id"] = self.chance.choice(VISITORS)
        if self.chance.random() < 0.2:
            changed["account_id"] = self.chance.choice([None, *ACCOUNTS])
        return changed

    def versions(self) -> Rows:
        """One to three versions of each thing, each updated at another instant."""
        made: Rows = []
        for feed, thing in self._things():
            for version in range(self.chance.choice([1, 1, 2, 3])):
                self.updates += 1
                at = self.first_at + dt.timedelta(days=20 + version, seconds=self.updates)
                row = getattr(self, f"_{feed}")(version)
                made.append((feed, {**row, **thing, "updated_at": _instant(at)}))
        return made

    def _things(self) -> Iterator[tuple[str, Row]]:
        """Keys of what there is, each with its feed."""
        for number, account in enumerate(ACCOUNTS):
            yield "accounts", {"account_id": account}
            # A subscription whose plan changes is a period that ends and one that starts.
            for day in self.chance.choice([(-57,), (-57, -13), (-57, -13, 2), (3,)]):
                subscription = {"subscription_id": f"s{number}", "account_id": account}
                yield "subscriptions", {**subscription, "started_at": self._at(day, -2)}
            for payment in range(3):
                yield "payments", {"payment_id": f"p{number}{payment}", "account_id": account}
            yield "surveys", {"response_id": f"r{number}", "account_id": account}
            yield "feedback", {"feedback_id": f"f{number}", "account_id": account}
            # Each recommends to the one before him: a circle, unless some are mere clicks.
            referral = {"referral_id": f"l{number}", "referrer_account_id": account}
            yield "referrals", {**referral, "referred_account_id": ACCOUNTS[number - 1]}
            yield "mentions", {"mention_id": f"m{number}", "account_id": account}
            yield "page_speed", {"measurement_id": f"w{number}"}
            yield "consents", {"account_id": account, "decided_at": self._at(number)}
            yield "erasures", {"account_id": account, "visitor_id": None}
        for content in ("a", "b"):
            yield "content", {"content_id": content}
        for currency in CURRENCIES[1:]:
            for day in self.chance.sample((-58, -57, -8, 3, 40), 3):
                yield "exchange_rates", {"day": self._day(day), "currency": currency}
        for day in range(DAYS):
            cost = {"day": self._day(day), "kind": "acquisition", "channel": "search"}
            yield "costs", cost if day % 2 else {**cost, "kind": "content", "channel": None}
            for placement in ("article", "front", "house", None):
                device = self.chance.choice([None, None, "mobile"])
                key = {"day": self._day(day), "placement": placement, "device": device}
                yield "ad_revenue", key
        for account in ACCOUNTS:
            yield "initiative_members", {"initiative": "call", "account_id": account}

    def _accounts(self, version: int) -> Row:
        return {
            "registered_at": self._at(self.chance.choice([-27, -27, 6])),
            "country": f"country {version}",
            "acquisition_channel": self.chance.choice([None, "search"]),
            "referred_by_account_id": self.chance.choice([None, "liisa"]),
        }

    def _subscriptions(self, version: int) -> Row:
        return {
            "plan": self.chance.choice(["digital", "print"]),
            "status": self.chance.choice(["trial", "active", "active", "past_due"]),
            # Local midnight at which another period may start.
            "ended_at": self.chance.choice([None, self._at(5, -2), self._at(30, -2)]),
            "amount": self.chance.choice([10, 12.5, 99.9]),
            "currency": self.chance.choice(CURRENCIES),
            "billing_period": self.chance.choice(["week", "month", "quarter", "year"]),
            "end_reason": self.chance.choice([None, "switch", "payment_failure"]),
        }

    def _payments(self, version: int) -> Row:
        amount = self.chance.choice([10, 12.5, -3])
        return {
            # The last hours of a month in UTC are the first of the next one in Helsinki.
            "paid_at": self._at(self.chance.choice([-57, -28, 3, 5]), self.chance.choice([0, 22])),
            "amount": amount,
            "currency": self.chance.choice(CURRENCIES),
            "kind": "refund" if amount < 0 else KINDS[version % len(KINDS)],
        }

    def _exchange_rates(self, version: int) -> Row:
        return {"rate": round(0.08 + self.chance.randrange(40) / 1000 + version / 7, 4)}

    def _ad_revenue(self, version: int) -> Row:
        # A changed rate builds the days of foreign bills again: not all days have one.
        currency = self.chance.choice(["EUR"] * 6 + ["SEK", "USD"])
        revenue = self.chance.choice([10, 7.77, 0.01, 0, -2])
        return {"impressions": 10 + version, "revenue": revenue, "currency": currency}

    def _costs(self, version: int) -> Row:
        return {"amount": 5 + version, "currency": self.chance.choice(CURRENCIES)}

    def _content(self, version: int) -> Row:
        section = self.chance.choice(["local", "sport", None])
        return {"published_at": self._at(-3), "title": f"title {version}", "section": section}

    def _surveys(self, version: int) -> Row:
        answer = {"touchpoint": "app", "question": "nps", "score": self.chance.randrange(11)}
        return {"responded_at": self._at(self.chance.randrange(DAYS)), **answer}

    def _feedback(self, version: int) -> Row:
        coded = {"channel": "mail", "theme": f"theme {version}", "sentiment": -0.5}
        return {"received_at": self._at(self.chance.randrange(DAYS)), **coded}

    def _referrals(self, version: int) -> Row:
        outcome = self.chance.choice(["click", "registration", "subscription"])
        whom = {"referred_visitor_id": VISITORS[version]}
        return {"occurred_at": self._at(1), "outcome": outcome, **whom}

    def _mentions(self, version: int) -> Row:
        said = {"platform": "forum", "sentiment": self.chance.choice([-1, 0.5])}
        return {"occurred_at": self._at(self.chance.randrange(DAYS)), **said, "reach": version}

    def _page_speed(self, version: int) -> Row:
        measured = {"visitor_id": self.chance.choice(VISITORS), "lcp_ms": 1000 + version}
        return {"measured_at": self._at(self.chance.randrange(DAYS)), **measured}

    def _consents(self, version: int) -> Row:
        return {"purpose": "advertising", "granted": self.chance.random() < 0.5}

    def _erasures(self, version: int) -> Row:
        return {"requested_at": self._at(self.chance.randrange(DAYS))}

    def _initiative_members(self, version: int) -> Row:
        return {"arm": self.chance.choice(["treated", "control"]), "assigned_at": self._at(1)}

    def _at(self, day: int, hour: int = 0) -> str:
        """An instant so many days and hours from the first midnight (UTC)."""
        midnight = dt.datetime.combine(self.first_at.date(), dt.time())
        return _instant(midnight + dt.timedelta(days=day, hours=hour))

    def _day(self, day: int) -> str:
        return (self.first_at.date() + dt.timedelta(days=day)).isoformat()


def _local_day(event: Row) -> dt.date:
    occurred_at = dt.datetime.fromisoformat(event["occurred_at"])
    return occurred_at.astimezone(TIME_ZONE).date()


def _instant(at: dt.datetime) -> str:
    return at.isoformat() + "Z"


def _moved(instant: str, hours: int) -> str:
    return _instant(dt.datetime.fromisoformat(instant[:-1]) + dt.timedelta(hours=hours))
