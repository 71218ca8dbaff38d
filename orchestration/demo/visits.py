"""What readers do on the pages: a day at a time, so that a hundredfold crowd still fits.

A visitor's session: page views, heartbeats while he reads, now and then a share, a comment, a
login. Some events are delivered late or twice, and a few are broken.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from orchestration.demo.calendar import Calendar
from orchestration.demo.files import Folder
from orchestration.demo.people import CHANNELS, COUNTRIES, DEVICES, Crowd
from orchestration.demo.stories import Articles

Ints = npt.NDArray[np.int64]
Columns = dict[str, npt.NDArray[Any]]

TYPES = (
    "view", "ping", "share", "comment", "like", "bookmark", "login", "register", "paywall",
    "checkout", "wiggle",
)  # fmt: skip
VIEW, PING, SHARE, COMMENT, LIKE, BOOKMARK, LOGIN, REGISTER, PAYWALL, CHECKOUT, BROKEN = range(11)
SOCIAL_ACTIONS = ((SHARE, 0.008), (COMMENT, 0.004), (LIKE, 0.012), (BOOKMARK, 0.006))
PLACEMENTS = ("article", "front")
ARTICLE, FRONT = range(2)
WEEKDAYS = (1.08, 1.02, 1.0, 1.0, 0.96, 0.85, 1.09)
HOURS = (2, 1, 1, 1, 1, 3, 7, 9, 8, 6, 6, 7, 7, 6, 5, 6, 7, 7, 7, 8, 9, 9, 7, 4)
HEARTBEAT_SECONDS, MOST_HEARTBEATS = 15, 12
# A slow session, by device class, and what it does to the chance of reading in the next days.
SLOW = (0.12, 0.05, 0.08, 0.02)
SLOW_RETURN_RATIO, SLOW_DAYS = 0.6, 7
MEASURED_SHARE, SLOW_LCP_MS = 0.3, 4000
LATE_SHARE, LATE_DAYS, REPEATED_SHARE = 0.01, 3, 0.006
NEWS_RATIO = 3.0

TRUTHS: dict[str, Any] = {
    "slow_pages_and_return": {
        "value": SLOW_RETURN_RATIO,
        "definition": "ratio of the daily chance to read in the 7 days after a session with an "
        "LCP over 4,000 ms to that after another session",
    },
}


class Reading:
    """Writes the days' events and remembers what later parts are made from."""

    def __init__(
        self,
        chance: np.random.Generator,
        calendar: Calendar,
        crowd: Crowd,
        articles: Articles,
        out: Folder,
    ) -> None:
        """Nobody has read anything yet."""
        self.chance, self.calendar, self.crowd = chance, calendar, crowd
        self.articles, self.out = articles, out
        self.page_views = np.zeros((calendar.days, len(PLACEMENTS), len(DEVICES)), dtype=np.int64)
        self.seen_in_block = np.zeros(crowd.persons, dtype=np.bool_)
        self._slow_until = np.full(crowd.persons, -1, dtype=np.int64)
        self._pending: dict[int, list[pa.Table]] = {}
        self._speed: list[pa.Table] = []
        self._event_count = 0
        self._names = {
            "visitor": pa.array(crowd.visitor_ids),
            "user": pa.array([*crowd.account_ids, None], pa.string()),
            "article": pa.array([*articles.ids, None], pa.string()),
            "type": pa.array(TYPES),
            "device": pa.array(DEVICES),
            "country": pa.array(COUNTRIES),
            "channel": pa.array(CHANNELS),
            "slot": pa.array(PLACEMENTS),
        }
        self._people_of: dict[str, Ints] = {}

    def begin_block(self) -> None:
        """Forgets who was seen: another block begins."""
        self.seen_in_block[:] = False

    def write_day(self, day: int, buyers: list[int]) -> None:
        """Draws a day and writes the files that are complete with it."""
        sessions = self._sessions(day, buyers)
        self.seen_in_block[sessions["person"]] = True
        views = self._views(day, sessions)
        columns = _stacked(
            [
                views,
                self._pings(views),
                self._social(views),
                self._logins(sessions),
                self._registrations(day),
                self._purchases(day, sessions, buyers),
            ]
        )
        self._measure(day, sessions, views)
        self._count_views(day, views)
        self._deliver(day, columns)
        self._write(day)

    def finish(self) -> None:
        """Writes what was still on its way, and counts the events."""
        for day in sorted(self._pending):
            self._write(day)
        self._write_speed(self.calendar.days)

    def _sessions(self, day: int, buyers: list[int]) -> Columns:
        chance, crowd = self.chance, self.crowd
        ratio = WEEKDAYS[self.calendar.date(day).weekday()]
        # Winter evenings are for reading, and the paper grows a little.
        ratio *= 1 + 0.12 * np.cos(2 * np.pi * self.calendar.date(day).timetuple().tm_yday / 365)
        ratio *= 1 + 0.1 * day / self.calendar.days
        ratio *= NEWS_RATIO if day == self.articles.news_day else 1.0
        risk = crowd.daily * ratio
        risk[self._slow_until >= day] *= SLOW_RETURN_RATIO
        come = np.flatnonzero(chance.random(crowd.persons) < risk)
        person = np.concatenate([np.repeat(come, 1 + chance.poisson(0.2, len(come))), buyers])
        person = np.sort(person.astype(np.int64))
        count = len(person)
        visitor = crowd.devices[person, np.array([0, 0, 0, 1, 2])[chance.integers(0, 5, count)]]
        hour = chance.choice(24, count, p=np.array(HOURS) / sum(HOURS))
        second = np.minimum(
            hour * 3600 + chance.integers(0, 3600, count), self.calendar.seconds(day) - 1
        )
        has_account = person < crowd.accounts
        account = np.where(has_account, person, 0)
        logged_in = (
            has_account
            & (crowd.registered_day[account] < day)
            & (chance.random(count) < crowd.login[account])
        )
        logged_in |= np.isin(person, buyers)
        device = crowd.visitor_device[visitor].astype(np.int64)
        return {
            "person": person,
            "visitor": visitor,
            "user": np.where(logged_in, person, crowd.accounts),
            "at": self.calendar.midnights_ms[day] + second * 1000 + chance.integers(0, 1000, count),
            "device": device,
            "country": crowd.visitor_country[visitor].astype(np.int64),
            "channel": np.where(
                chance.random(count) < 0.6, crowd.channel[person], chance.integers(0, 5, count)
            ).astype(np.int64),
            "is_slow": chance.random(count) < np.array(SLOW)[device],
        }

    def _views(self, day: int, sessions: Columns) -> Columns:
        chance = self.chance
        per_session = np.minimum(chance.geometric(0.42, len(sessions["person"])), 25)
        index = np.repeat(np.arange(len(per_session)), per_session)
        count = len(index)
        first = np.concatenate([[0], np.cumsum(per_session)[:-1]]).astype(np.int64)
        gap = np.clip(chance.exponential(95_000, count), 4_000, 1_700_000)
        gap[first] = 0
        elapsed = np.cumsum(gap)
        at = sessions["at"][index] + (elapsed - elapsed[first][index]).astype(np.int64)
        numbers, weight = self.articles.weights(day)
        article = chance.choice(numbers, count, p=weight)
        is_first = np.zeros(count, dtype=np.bool_)
        is_first[first] = True
        is_front = chance.random(count) < np.where(is_first, 0.4, 0.15)
        views = {name: sessions[name][index] for name in ("visitor", "user", "device", "country")}
        return {
            **views,
            "at": at,
            "type": np.full(count, VIEW),
            # Only the page that opened the visit says where it came from.
            "channel": np.where(is_first, sessions["channel"][index], len(CHANNELS)),
            "article": np.where(is_front, len(self.articles.ids), article),
            "slot": np.where(is_front, FRONT, ARTICLE),
            "session": index,
        }

    def _pings(self, views: Columns) -> Columns:
        """Heartbeats while the page is read; of stories that only draw clicks, hardly any."""
        chance = self.chance
        only_clicks = np.append(self.articles.only_clicks, [False])[views["article"]]
        dwell = chance.lognormal(3.2, 0.9, len(only_clicks)) * np.where(only_clicks, 0.25, 1.0)
        pings = np.minimum(dwell // HEARTBEAT_SECONDS, MOST_HEARTBEATS).astype(np.int64)
        index = np.repeat(np.arange(len(pings)), pings)
        first = np.concatenate([[0], np.cumsum(pings)[:-1]]).astype(np.int64)
        number = np.arange(len(index)) - first[index] + 1
        jitter = chance.normal(0, 400, len(index)).astype(np.int64)
        made = _picked(views, index, PING)
        made["at"] = views["at"][index] + number * HEARTBEAT_SECONDS * 1000 + jitter
        return made

    def _social(self, views: Columns) -> Columns:
        chance = self.chance
        made = []
        for kind, share in SOCIAL_ACTIONS:
            index = np.flatnonzero(
                (views["slot"] == ARTICLE) & (chance.random(len(views["at"])) < share)
            )
            action = _picked(views, index, kind)
            action["at"] = action["at"] + chance.integers(5_000, 90_000, len(index))
            made.append(action)
        return _stacked(made)

    def _logins(self, sessions: Columns) -> Columns:
        index = np.flatnonzero(
            (sessions["user"] < self.crowd.accounts)
            & (self.chance.random(len(sessions["user"])) < 0.12)
        )
        made = {name: sessions[name][index] for name in ("visitor", "user", "device", "country")}
        return self._on_front(made, sessions["at"][index] + 900, LOGIN)

    def _registrations(self, day: int) -> Columns:
        person = np.flatnonzero(self.crowd.registered_day == day)
        visitor = self.crowd.devices[person, 0]
        second = self.chance.integers(30_000, 79_000, len(person))
        made = {
            "visitor": visitor,
            "user": person,
            "device": self.crowd.visitor_device[visitor].astype(np.int64),
            "country": self.crowd.visitor_country[visitor].astype(np.int64),
        }
        return self._on_front(made, self.calendar.midnights_ms[day] + second * 1000, REGISTER)

    def _purchases(self, day: int, sessions: Columns, buyers: list[int]) -> Columns:
        """A paywall and a checkout of each buyer, mostly on a story that makes subscribers."""
        chance = self.chance
        index = np.unique(np.searchsorted(sessions["person"], np.array(sorted(buyers), np.int64)))
        numbers, _ = self.articles.weights(day)
        converting = numbers[self.articles.converts[numbers]]
        article = chance.choice(numbers, len(index))
        if len(converting):
            chosen = chance.choice(converting, len(index))
            article = np.where(chance.random(len(index)) < 0.7, chosen, article)
        steps = []
        for kind, after in ((PAYWALL, 20_000), (CHECKOUT, 80_000)):
            made = {
                name: sessions[name][index] for name in ("visitor", "user", "device", "country")
            }
            made = self._on_front(made, sessions["at"][index] + after, kind)
            made["article"], made["slot"] = article, np.full(len(index), ARTICLE)
            steps.append(made)
        return _stacked(steps)

    def _on_front(self, made: Columns, at: npt.NDArray[Any], kind: int) -> Columns:
        count = len(at)
        return {
            **made,
            "at": at,
            "type": np.full(count, kind),
            "channel": np.full(count, len(CHANNELS)),
            "article": np.full(count, len(self.articles.ids)),
            "slot": np.full(count, FRONT),
        }

    def _measure(self, day: int, sessions: Columns, views: Columns) -> None:
        """Slow sessions keep readers away; of some sessions the speed is measured."""
        chance = self.chance
        slow = sessions["is_slow"]
        self._slow_until[sessions["person"][slow]] = day + SLOW_DAYS
        index = np.flatnonzero(chance.random(len(slow)) < MEASURED_SHARE)
        fast = np.minimum(chance.lognormal(7.4, 0.35, len(index)), SLOW_LCP_MS - 1)
        lcp = np.where(slow[index], SLOW_LCP_MS + chance.gamma(2, 700, len(index)), fast)
        self._speed.append(
            pa.table(
                {
                    "id": _numbered("m", day, len(index)),
                    "at": pa.array(sessions["at"][index]),
                    "visitor": self._names["visitor"].take(pa.array(sessions["visitor"][index])),
                    "page": pa.array(["/"] * len(index), pa.string()),
                    "device": self._names["device"].take(pa.array(sessions["device"][index])),
                    "lcp": pa.array(np.round(lcp, 1)),
                    "inp": pa.array(np.round(chance.lognormal(4.8, 0.5, len(index)), 1)),
                    "cls": pa.array(np.round(chance.gamma(1, 0.05, len(index)), 4)),
                }
            )
        )
        self.out.count("page_speed", rows=len(index), bad=0, keys=len(index))
        if self.calendar.date(day + 1).day == 1:
            self._write_speed(day + 1)

    def _write_speed(self, day: int) -> None:
        if self._speed:
            month = self.calendar.date(day - 1)
            self.out.parquet(f"page_speed/{month:%Y-%m}.parquet", pa.concat_tables(self._speed))
            self._speed = []

    def _count_views(self, day: int, views: Columns) -> None:
        # A page seen after midnight is the next day's.
        later = views["at"] >= self.calendar.midnights_ms[day + 1]
        for on, mask in ((day, ~later), (day + 1, later)):
            if on < self.calendar.days:
                np.add.at(self.page_views[on], (views["slot"][mask], views["device"][mask]), 1)

    def _deliver(self, day: int, columns: Columns) -> None:
        """Sends the day's events on their way: most arrive at once, some late, some twice."""
        chance = self.chance
        columns = {name: values[np.argsort(columns["at"])] for name, values in columns.items()}
        # What would happen after the last day has not happened yet.
        ends = self.calendar.midnights_ms[self.calendar.days]
        columns = {name: values[columns["at"] < ends] for name, values in columns.items()}
        count = len(columns["at"])
        number = np.arange(self._event_count, self._event_count + count)
        self._event_count += count
        late = chance.random(count) < LATE_SHARE
        delay = np.where(
            late, chance.integers(3_600_000, LATE_DAYS * 86_400_000, count), 800
        ) + chance.integers(0, 4_000, count)
        broken = chance.random(count) < 0.0004
        columns = {
            **columns,
            "number": number,
            "received": columns["at"] + delay,
            "type": np.where(broken, BROKEN, columns["type"]),
        }
        again = np.flatnonzero(chance.random(count) < REPEATED_SHARE)
        repeated = {name: values[again] for name, values in columns.items()}
        repeated["received"] = repeated["received"] + chance.integers(
            0, 2 * 86_400_000, len(again)
        ) * chance.integers(0, 2, len(again))
        bad = int(broken.sum() + broken[again].sum())
        self.out.count("events", rows=count + len(again), bad=bad, keys=count - int(broken.sum()))
        self._post(_stacked([columns, repeated]))

    def _post(self, columns: Columns) -> None:
        """Puts each event into the file of the day it was received on."""
        midnights = self.calendar.midnights_ms
        arrival = np.searchsorted(midnights, columns["received"], side="right") - 1
        # What is received after the last day comes with the last file.
        arrival = np.minimum(arrival, self.calendar.days - 1)
        for day in np.unique(arrival).tolist():
            mask = arrival == day
            part = {name: values[mask] for name, values in columns.items()}
            self._pending.setdefault(day, []).append(self._table(part))

    def _table(self, columns: Columns) -> pa.Table:
        named = {
            name: names.take(pa.array(np.where(columns[name] < len(names), columns[name], 0)))
            for name, names in self._names.items()
        }
        is_opening = pa.array(columns["channel"] < len(CHANNELS))
        named["channel"] = pc.if_else(is_opening, named["channel"], pa.scalar(None, pa.string()))
        article = named["article"]
        path = pc.binary_join_element_wise("https://jarvisanomat.example/", article, "")
        return pa.table(
            {
                "id": pc.binary_join_element_wise(
                    "e", pa.array(columns["number"]).cast(pa.string()), ""
                ),
                "ts": pa.array(columns["at"]),
                "received": pa.array(columns["received"]),
                **named,
                "url": pc.fill_null(path, "https://jarvisanomat.example/"),
            }
        )

    def _write(self, day: int) -> None:
        if tables := self._pending.pop(day, []):
            name = f"events/{self.calendar.date(day).isoformat()}.parquet"
            self.out.parquet(name, pa.concat_tables(tables))


def _picked(views: Columns, index: Ints, kind: int) -> Columns:
    """Events on the pages of some views."""
    names = ("visitor", "user", "device", "country", "article", "slot", "at")
    made = {name: views[name][index] for name in names}
    return {
        **made,
        "type": np.full(len(index), kind),
        "channel": np.full(len(index), len(CHANNELS)),
    }


def _stacked(parts: list[Columns]) -> Columns:
    names = parts[-1].keys()
    return {name: np.concatenate([part[name] for part in parts]) for name in names}


def _numbered(letter: str, day: int, count: int) -> pa.Array:
    numbers = pa.array(np.arange(count) + day * 10_000_000)
    return pc.binary_join_element_wise(letter, numbers.cast(pa.string()), "")
