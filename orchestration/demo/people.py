"""Who reads: accounts, the devices they read on, and visitors nobody knows.

A person is an account holder or an anonymous visitor; account holders come first, so that a
person's number below `accounts` is the account's.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from orchestration.demo.calendar import Calendar
from orchestration.demo.files import Folder

if TYPE_CHECKING:
    from orchestration.demo.business import Business

VISITORS, ACCOUNTS = 20_000, 5_000
FIRST_NAMES = (
    "aino elli eeva helmi hilja inka kaisa liisa maija oona päivi riitta saara tuuli venla "
    "antti eero heikki ilkka jussi kalle lauri matti niilo olli pekka risto santeri toivo ville"
).split()
LAST_NAMES = (
    "aalto hakala heino järvinen kallio karjalainen koivisto korhonen laine lehto mäkelä "
    "niemi nieminen ojala pitkänen rantanen saarinen salmi tuominen virtanen"
).split()
CHANNELS = ("direct", "search", "social", "newsletter", "campaign")
CHANNEL_SHARES = (0.34, 0.30, 0.20, 0.10, 0.06)
DEVICES = ("mobile", "desktop", "tablet", "app")
COUNTRIES = ("FI", "SE", "EE", "DE")
# A device that two accounts log in on.
SHARED_SHARE = 0.03
BEFORE = -10_000


@dataclass
class Crowd:
    """Everybody, by number.

    Attributes:
        accounts: Number of accounts; persons from there on are anonymous.
        account_ids: Raw ids, as the accounts' system has them.
        visitor_ids: Raw ids of all browsers and apps.
        devices: (persons, 3) numbers of a person's visitors; repeated where he has fewer.
        visitor_device: Class of device of each visitor.
        visitor_country: Country of each visitor.
        daily: Chance that the person reads on an ordinary day.
        registered_day: Day of registration, negative before the first; of accounts only.
        login: Chance that a session of the account is logged in.
        channel: Channel that mostly brings the person.
    """

    accounts: int
    account_ids: list[str]
    visitor_ids: list[str]
    devices: npt.NDArray[np.int64]
    visitor_device: npt.NDArray[np.int8]
    visitor_country: npt.NDArray[np.int8]
    daily: npt.NDArray[np.float64]
    registered_day: npt.NDArray[np.int64]
    login: npt.NDArray[np.float64]
    channel: npt.NDArray[np.int8]

    @property
    def persons(self) -> int:
        """Number of persons."""
        return len(self.daily)


def make(chance: np.random.Generator, calendar: Calendar, scale: float) -> Crowd:
    """Everybody there is."""
    accounts = max(round(ACCOUNTS * scale), 20)
    visitors = max(round(VISITORS * scale), 80)
    owned = round(accounts * 1.6)
    persons = accounts + visitors - owned
    devices = _devices(chance, accounts, owned, persons)
    daily = np.minimum(chance.lognormal(-3.2, 1.1, persons), 0.9)
    daily[accounts:] *= 0.45
    registered = np.where(
        chance.random(accounts) < 0.7,
        -chance.integers(1, 1100, accounts),
        chance.integers(0, calendar.days, accounts),
    )
    return Crowd(
        accounts=accounts,
        account_ids=_account_ids(chance, accounts),
        visitor_ids=[f"{high:016x}{low:016x}" for high, low in _words(chance, visitors)],
        devices=devices,
        visitor_device=chance.choice(4, visitors, p=[0.55, 0.28, 0.07, 0.10]).astype(np.int8),
        visitor_country=chance.choice(4, visitors, p=[0.93, 0.03, 0.02, 0.02]).astype(np.int8),
        daily=daily,
        registered_day=registered.astype(np.int64),
        login=chance.beta(3, 1.5, accounts),
        channel=chance.choice(5, persons, p=CHANNEL_SHARES).astype(np.int8),
    )


def _words(chance: np.random.Generator, count: int) -> list[tuple[int, int]]:
    words = chance.integers(0, 2**63, (count, 2))
    return [(int(high), int(low)) for high, low in words]


def _account_ids(chance: np.random.Generator, count: int) -> list[str]:
    """Ids that name a person, as careless systems have them; the number is the account's."""
    first = chance.integers(0, len(FIRST_NAMES), count)
    last = chance.integers(0, len(LAST_NAMES), count)
    return [
        f"{FIRST_NAMES[f]}.{LAST_NAMES[s]}{number}@example.fi"
        for number, (f, s) in enumerate(zip(first, last, strict=True))
    ]


def _devices(
    chance: np.random.Generator, accounts: int, owned: int, persons: int
) -> npt.NDArray[np.int64]:
    """Each account a device, some a second and third one, a few on another account's."""
    devices = np.empty((persons, 3), dtype=np.int64)
    devices[:accounts] = np.arange(accounts)[:, None]
    devices[accounts:] = np.arange(owned, owned + persons - accounts)[:, None]
    second = chance.integers(0, accounts, owned - accounts)
    devices[second, 1 + chance.integers(0, 2, owned - accounts)] = np.arange(accounts, owned)
    sharers = chance.choice(accounts, max(round(accounts * SHARED_SHARE), 1), replace=False)
    devices[sharers, 2] = chance.integers(0, accounts, len(sharers))
    return devices


def write(out: Folder, chance: np.random.Generator, crowd: Crowd, trade: "Business") -> None:
    """The accounts' export: JSON lines, a version a line where an account changed."""
    rows = []
    calendar = trade.calendar
    for number in range(crowd.accounts):
        day = int(crowd.registered_day[number])
        referrer = trade.referred_by.get(number)
        rows.append(
            {
                "email": crowd.account_ids[number],
                "created": calendar.instant(day, chance.integers(20_000, 80_000)).isoformat() + "Z",
                "birth_year": int(chance.integers(1938, 2008)) if chance.random() < 0.6 else None,
                "country": COUNTRIES[crowd.visitor_country[crowd.devices[number, 0]]],
                "source": "referral" if referrer is not None else CHANNELS[crowd.channel[number]],
                "invited_by": crowd.account_ids[referrer] if referrer is not None else None,
                "changed": calendar.instant(max(day, 0), 80_500).isoformat() + "Z",
            }
        )
    moved = chance.choice(crowd.accounts, crowd.accounts // 50, replace=False)
    changed = calendar.instant(calendar.days - 1, 3_000).isoformat() + "Z"
    versions = [dict(rows[number], country="SE", changed=changed) for number in sorted(moved)]
    bad = [dict(rows[0], email=None), dict(rows[1], created="30.2.2026")]
    out.json_lines("accounts.jsonl", [*rows, *versions, *bad])
    out.count("accounts", rows=len(rows) + len(versions) + 2, bad=2, keys=len(rows))
