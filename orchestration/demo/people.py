"""Who reads: accounts, the devices they read on, and visitors nobody knows.

A person is an account holder or an anonymous visitor; account holders come first, so that a
person's number below `accounts` is the account's.
"""

from dataclasses import dataclass
from itertools import chain
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
# Accounts that also log in on a device of another account.
SHARED_SHARE = 0.15
MOVED_SHARE = 0.02


@dataclass
class Crowd:
    """Everybody, by number.

    Attributes:
        accounts: Number of accounts; persons from there on are anonymous.
        account_ids: Raw ids, as the accounts' system has them.
        visitor_ids: Raw ids of all browsers and apps.
        devices: (persons, 3) numbers of a person's visitors; repeated where he has fewer.
        owner: The person each visitor belongs to; others on it are guests.
        visitor_device: Class of device of each visitor.
        visitor_country: Country of each visitor.
        daily: Chance that the person reads on an ordinary day.
        keenness: What multiplies it for the time being.
        registered_day: Day of registration, negative before the first; of accounts only.
        login: Chance that a session of the account is logged in.
        channel: Channel that mostly brings the person.
    """

    accounts: int
    account_ids: list[str]
    visitor_ids: list[str]
    devices: npt.NDArray[np.int64]
    owner: npt.NDArray[np.int64]
    visitor_device: npt.NDArray[np.int8]
    visitor_country: npt.NDArray[np.int8]
    daily: npt.NDArray[np.float64]
    keenness: npt.NDArray[np.float64]
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
    devices, owner = _devices(chance, accounts, owned, persons)
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
        visitor_ids=_visitor_ids(chance, visitors),
        devices=devices,
        owner=owner,
        visitor_device=chance.choice(4, visitors, p=[0.55, 0.28, 0.07, 0.10]).astype(np.int8),
        visitor_country=chance.choice(4, visitors, p=[0.93, 0.03, 0.02, 0.02]).astype(np.int8),
        daily=daily,
        keenness=np.ones(persons),
        registered_day=registered.astype(np.int64),
        login=chance.beta(3, 1.5, accounts),
        channel=chance.choice(5, persons, p=CHANNEL_SHARES).astype(np.int8),
    )


def _visitor_ids(chance: np.random.Generator, count: int) -> list[str]:
    """Random hexadecimal digits, as cookies have them."""
    digits = chance.bytes(16 * count).hex()
    return [digits[start : start + 32] for start in range(0, len(digits), 32)]


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
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Each account a device, some a second and third one, a few as guests on another's."""
    devices = np.empty((persons, 3), dtype=np.int64)
    devices[:accounts] = np.arange(accounts)[:, None]
    devices[accounts:] = np.arange(owned, owned + persons - accounts)[:, None]
    second = chance.integers(0, accounts, owned - accounts)
    devices[second, 1 + chance.integers(0, 2, owned - accounts)] = np.arange(accounts, owned)
    owner = np.concatenate([np.arange(accounts), second, np.arange(accounts, persons)])
    guests = chance.choice(accounts, max(round(accounts * SHARED_SHARE), 1), replace=False)
    devices[guests, 2] = chance.integers(0, accounts, len(guests))
    return devices, owner


def write(out: Folder, chance: np.random.Generator, crowd: Crowd, trade: "Business") -> None:
    """The accounts' export: JSON lines, a version a line where an account changed."""
    calendar = trade.calendar
    second = chance.integers(20_000, 80_000, crowd.accounts)
    year = np.where(
        chance.random(crowd.accounts) < 0.6, chance.integers(1938, 2008, crowd.accounts), 0
    )
    moved = np.sort(
        chance.choice(crowd.accounts, round(crowd.accounts * MOVED_SHARE), replace=False)
    )

    def account(number: int) -> dict[str, object]:
        day = int(crowd.registered_day[number])
        referrer = trade.inviter(number)
        return {
            "email": crowd.account_ids[number],
            "created": calendar.instant(day, second[number]).isoformat() + "Z",
            "birth_year": int(year[number]) or None,
            "country": COUNTRIES[crowd.visitor_country[crowd.devices[number, 0]]],
            "source": "referral" if referrer is not None else CHANNELS[crowd.channel[number]],
            "invited_by": crowd.account_ids[referrer] if referrer is not None else None,
            "changed": calendar.instant(max(day, 0), 80_500).isoformat() + "Z",
        }

    changed = calendar.instant(calendar.days - 1, 3_000).isoformat() + "Z"
    out.json_lines(
        "accounts.jsonl",
        chain(
            out.first(
                "accounts",
                map(account, range(crowd.accounts)),
                wrong=({"email": None}, {"created": "30.2.2026"}, {"birth_year": 198}),
            ),
            out.again(
                "accounts",
                (account(number) | {"country": "SE", "changed": changed} for number in moved),
            ),
        ),
    )
