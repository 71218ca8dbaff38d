"""A small invented history with everything that makes the order of arrival matter.

Repeated events that were received at different times and say different days, visitors who turn
out to be an account or to share a device, sessions and open pages across midnights (one of them
the night the clocks change), corrected subscriptions, bills, rates and accounts.
"""

import datetime as dt
import random
from collections.abc import Mapping
from typing import Any

Rows = list[tuple[str, Mapping[str, Any]]]

FIRST_AT = dt.datetime(2024, 3, 28, 6)
DAYS = 7
VISITORS = ("v1", "v2", "v3", "v4", "v5")
# Whose account a visitor logs in to: v2 is nobody's, v3 is shared.
LOGINS = {"v1": ["liisa"], "v3": ["liisa", "matti"], "v4": ["matti"], "v5": ["aino"]}


def rows(seed: int, repeated_share: float) -> Rows:
    """The rows of the history, each with its feed; the same for the same seed."""
    chance = random.Random(seed)  # noqa: S311
    return [
        *_events(chance, repeated_share),
        *_entities(chance),
        *(("ad_revenue", row) for row in _bills(chance)),
    ]


def _events(chance: random.Random, repeated_share: float) -> Rows:
    made: Rows = []
    for visitor in VISITORS:
        at = FIRST_AT + dt.timedelta(minutes=chance.randrange(600))
        last = FIRST_AT + dt.timedelta(days=DAYS)
        while at < last:
            event = _event(chance, f"e{len(made)}", visitor, at)
            made.append(("events", event))
            if chance.random() < repeated_share:
                made.append(("events", _repeat(chance, event)))
            # Often within the half hour that keeps a session going, sometimes hours later.
            minutes = chance.choice([0.2, 0.25, 5, 29, 30, 31, 200, 700])
            at += dt.timedelta(minutes=minutes)
        # A busy night without a pause, over two midnights.
        if visitor == "v5":
            night = dt.datetime(2024, 3, 30, 20)
            made += [
                ("events", _event(chance, f"n{n}", visitor, night + dt.timedelta(minutes=29 * n)))
                for n in range(70)
            ]
    return made


def _event(
    chance: random.Random, event_id: str, visitor: str, at: dt.datetime
) -> Mapping[str, Any]:
    received = at + dt.timedelta(seconds=chance.choice([1, 5, 60, 90_000]))
    return {
        "event_id": event_id,
        "occurred_at": at.isoformat() + "Z",
        "received_at": received.isoformat() + "Z",
        "visitor_id": visitor,
        "account_id": chance.choice([None, None, *LOGINS.get(visitor, [None])]),
        "event_type": chance.choice(["page_view", "heartbeat", "heartbeat", "share"]),
        "content_id": chance.choice(["a", "b", None]),
        "device": chance.choice(["mobile", "desktop", None]),
        "placement": chance.choice(["article", "front"]),
        "channel": chance.choice(["search", "direct", None]),
        "country": chance.choice(["FI", "SE", None]),
    }


def _repeat(chance: random.Random, event: Mapping[str, Any]) -> Mapping[str, Any]:
    """The same event delivered again: later or earlier, sometimes with another day or visitor."""
    received = dt.datetime.fromisoformat(event["received_at"])
    received += dt.timedelta(hours=chance.choice([-30, -1, 0, 1, 30]))
    changed = dict(event, received_at=received.isoformat().replace("+00:00", "Z"))
    if chance.random() < 0.5:
        occurred = dt.datetime.fromisoformat(event["occurred_at"])
        occurred += dt.timedelta(hours=chance.choice([-24, -1, 26]))
        changed["occurred_at"] = occurred.isoformat().replace("+00:00", "Z")
    if chance.random() < 0.2:
        changed["visitor_id"] = chance.choice(VISITORS)
    return changed


def _entities(chance: random.Random) -> Rows:
    made: Rows = []
    for number, account in enumerate(("liisa", "matti", "aino", "pekka")):
        for version in range(chance.choice([1, 2, 3])):
            updated = f"2024-04-0{1 + version}T00:00:0{number}Z"
            made += [
                ("accounts", _account(account, version, updated)),
                ("subscriptions", _subscription(chance, account, number, updated)),
                ("payments", _payment(chance, account, number, updated)),
                ("exchange_rates", _rate(chance, version, updated)),
            ]
    return made


def _account(account: str, version: int, updated: str) -> Mapping[str, Any]:
    return {
        "account_id": account,
        "registered_at": "2024-03-01T00:00:00Z",
        "country": f"country {version}",
        "updated_at": updated,
    }


def _subscription(
    chance: random.Random, account: str, number: int, updated: str
) -> Mapping[str, Any]:
    return {
        "subscription_id": f"s{number}",
        "account_id": account,
        "plan": chance.choice(["digital", "print"]),
        "status": chance.choice(["trial", "active", "active", "past_due"]),
        "started_at": "2024-02-01T00:00:00Z",
        "ended_at": chance.choice([None, "2024-03-15T00:00:00Z", "2024-04-02T00:00:00Z"]),
        "amount": chance.choice([10, 12.5, 99.9]),
        "currency": chance.choice(["EUR", "SEK"]),
        "billing_period": chance.choice(["month", "year"]),
        "updated_at": updated,
    }


def _payment(chance: random.Random, account: str, number: int, updated: str) -> Mapping[str, Any]:
    return {
        "payment_id": f"p{number}",
        "account_id": account,
        "paid_at": "2024-02-01T00:00:00Z",
        "amount": chance.choice([10, 12.5, -3]),
        "currency": chance.choice(["EUR", "SEK"]),
        "kind": "subscription",
        "updated_at": updated,
    }


def _rate(chance: random.Random, version: int, updated: str) -> Mapping[str, Any]:
    day = chance.choice(["2024-01-31", "2024-02-01", "2024-03-20", "2024-04-01"])
    rate = {"2024-01-31": 0.09, "2024-02-01": 0.08, "2024-03-20": 0.085, "2024-04-01": 0.1}[day]
    return {"day": day, "currency": "SEK", "rate": rate + version / 1000, "updated_at": updated}


def _bills(chance: random.Random) -> list[Mapping[str, Any]]:
    made = []
    for day in range(DAYS):
        for placement in ("article", "front", "house", None):
            for version in range(chance.choice([1, 1, 2])):
                local = (FIRST_AT + dt.timedelta(days=day)).date().isoformat()
                row = {"day": local, "placement": placement, "device": None, "impressions": 10}
                money = {"revenue": chance.choice([10, 7.77, 0.01]), "currency": "EUR"}
                # A changed rate builds the days of foreign bills again: not all days have one.
                if placement == "front" and day < 2:
                    money["currency"] = "SEK"
                made.append({**row, **money, "updated_at": f"2024-04-10T00:00:0{version}Z"})
    return made
