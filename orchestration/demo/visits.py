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
from orchestration.demo.worlds import World

Ints = npt.NDArray[np.int64]
Columns = dict[str, npt.NDArray[Any]]

TYPES = (
    "view", "ping", "share", "comment", "like", "bookmark", "login", "register", "paywall",
    "checkout", "follow", "wiggle",
)  # fmt: skip
(
    VIEW, PING, SHARE, COMMENT, LIKE, BOOKMARK, LOGIN, REGISTER, PAYWALL, CHECKOUT, FOLLOW, UNKNOWN,
) = range(12)  # fmt: skip
ACTIONS = ((SHARE, 0.008), (COMMENT, 0.004), (LIKE, 0.012), (BOOKMARK, 0.006), (FOLLOW, 0.002))
# Of views of premium articles by readers who are not logged in: how many meet the paywall. How many
# of those go as far as the checkout and turn back is the world's.
PAYWALL_SHARE = 0.3
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
# Of purchases, those on a story that makes subscribers.
CONVERTED_SHARE = 0.7
# A day of few events has no bad ones: one of them would be more than landing tolerates of a file.
# Measurements come in a file a month, so that fewer a day will do.
BAD_SHARE, FEWEST_EVENTS, FEWEST_MEASURED = 0.0004, 500, 100
# Texts take more room than the numbers that stand for them: so many events are texts at a time.
ROWS_AT_ONCE = 200_000
FAR_FUTURE_MS = 400 * 365 * 86_400_000
NEWS_RATIO = 3.0
SITE = "https://jarvisanomat.example/"
# By channel.
REFERRERS = (
    None,
    "https://haku.example/?q=paikallisuutiset",
    "https://some.example/l?id=81",
    None,
    "https://kumppani.example/",
)
CAMPAIGNS = (None, None, None, None, "kesa-2026")
NEWSLETTER = 3


class Reading:
    """Writes the days' events and remembers what later parts are made from."""

    def __init__(
        self,
        chance: np.random.Generator,
        calendar: Calendar,
        crowd: Crowd,
        articles: Articles,
        out: Folder,
        world: World,
    ) -> None:
        """Nobody has read anything yet."""
        self.abandoned_share = world.abandoned_share
        self.chance, self.calendar, self.crowd = chance, calendar, crowd
        self.articles, self.out = articles, out
        self.page_views = np.zeros((calendar.days, len(PLACEMENTS), len(DEVICES)), dtype=np.int64)
        self.seen_in_block = np.zeros(crowd.accounts, dtype=np.bool_)
        self._slow_until = np.full(crowd.persons, -1, dtype=np.int64)
        self._last_read = np.full(crowd.persons, -1, dtype=np.int64)
        self._last_was_slow = np.zeros(crowd.persons, dtype=np.bool_)
        # Days read, and of them those followed by another within a week; after others, after slow.
        self._read, self._returned = np.zeros((2, 2), dtype=np.int64)
        self._pending: dict[int, list[Columns]] = {}
        self._speed: list[pa.Table] = []
        self._event_count = 0
        self._names = {
            "visitor": pa.array([*crowd.visitor_ids, None], pa.string()),
            "user": pa.array([*crowd.account_ids, None], pa.string()),
            "article": pa.array([*articles.ids, None], pa.string()),
            "type": pa.array(TYPES),
            "device": pa.array(DEVICES),
            "country": pa.array(COUNTRIES),
            "channel": pa.array([*CHANNELS, None], pa.string()),
            "slot": pa.array(PLACEMENTS),
        }
        self._by_channel = {
            "ref": pa.array([*REFERRERS, None], pa.string()),
            "campaign": pa.array([*CAMPAIGNS, None], pa.string()),
        }

    def begin_block(self) -> None:
        """Forgets which accounts were seen: another block begins."""
        self.seen_in_block[:] = False

    def write_day(self, day: int, buyers: list[int]) -> None:
        """Draws a day and writes the files that are complete with it."""
        sessions = self._sessions(day, buyers)
        self._remember(day, sessions)
        bought = self._purchases(day, sessions, buyers)
        views = _stacked([self._views(day, sessions), bought[0]])
        columns = _stacked(
            [
                *bought[1:],
                *self._turned_away(views),
                self._pings(views),
                *self._actions(views),
                self._logins(sessions),
                self._registrations(day),
                views,
            ]
        )
        self._measure(day, sessions)
        self._count_views(day, views)
        self._deliver(day, columns)
        self._write(day)

    def finish(self) -> None:
        """Writes what was still on its way."""
        for day in sorted(self._pending):
            self._write(day)
        self._write_speed(self.calendar.days)

    def truths(self) -> dict[str, Any]:
        """What was planted in the reading, and what came of it."""
        returned = (self._returned / np.maximum(self._read, 1)).round(4).tolist()
        return {
            "slow_pages_and_return": {
                "value": SLOW_RETURN_RATIO,
                "definition": "by what a session with an LCP over 4,000 ms multiplies a reader's "
                "chance to read on each of the 7 days after it",
                "returned_within_7_days_share": {"after_slow": returned[1], "other": returned[0]},
                "reader_days": {"after_slow": int(self._read[1]), "other": int(self._read[0])},
            },
        }

    def _remember(self, day: int, sessions: Columns) -> None:
        """Who could be seen by the account he logged in with, and who came back within a week."""
        users = sessions["user"][sessions["user"] < self.crowd.accounts]
        self.seen_in_block[users] = True
        self.seen_in_block[self.crowd.registered_day == day] = True
        came = np.unique(sessions["person"])
        slow = np.zeros(self.crowd.persons, dtype=np.bool_)
        slow[sessions["person"][sessions["is_slow"]]] = True
        before = self._last_read[came]
        # Days whose week is not over by the last day are not judged.
        back = (before >= 0) & (day - before <= SLOW_DAYS)
        back &= before + SLOW_DAYS < self.calendar.days
        np.add.at(self._returned, self._last_was_slow[came[back]].astype(np.int64), 1)
        if day + SLOW_DAYS < self.calendar.days:
            np.add.at(self._read, slow[came].astype(np.int64), 1)
        self._last_read[came] = day
        self._last_was_slow[came] = slow[came]

    def _sessions(self, day: int, buyers: list[int]) -> Columns:
        chance, crowd = self.chance, self.crowd
        ratio = WEEKDAYS[self.calendar.date(day).weekday()]
        # Winter evenings are for reading, and the paper grows a little.
        ratio *= 1 + 0.12 * np.cos(2 * np.pi * self.calendar.date(day).timetuple().tm_yday / 365)
        ratio *= 1 + 0.1 * day / self.calendar.days
        ratio *= NEWS_RATIO if day == self.articles.news_day else 1.0
        risk = crowd.daily * crowd.keenness * ratio
        risk[self._slow_until >= day] *= SLOW_RETURN_RATIO
        come = np.flatnonzero(chance.random(crowd.persons) < risk)
        person = np.concatenate([np.repeat(come, 1 + chance.poisson(0.2, len(come))), buyers])
        person = np.sort(person.astype(np.int64))
        count = len(person)
        is_registered = np.append(crowd.registered_day < day, [False])[
            np.minimum(person, crowd.accounts)
        ]
        visitor = crowd.devices[person, np.array([0, 0, 0, 1, 2])[chance.integers(0, 5, count)]]
        is_guest = crowd.owner[visitor] != person
        visitor = np.where(is_guest & ~is_registered, crowd.devices[person, 0], visitor)
        hour = chance.choice(24, count, p=np.array(HOURS) / sum(HOURS))
        clock = hour * 3600 + chance.integers(0, 3600, count)
        second = self.calendar.elapsed(day, clock)
        account = np.where(is_registered, person, 0)
        # Guests log in, buyers must, and whoever comes for the first time in a block does: an
        # account's activity in the block then shows in the data just as it was drawn from.
        is_first = np.append(self.seen_in_block, [True])[np.minimum(person, crowd.accounts)]
        is_first = ~is_first & np.append([True], person[1:] != person[:-1])[:count]
        logged_in = is_registered & (
            is_guest | is_first | (chance.random(count) < crowd.login[account])
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

    def _actions(self, views: Columns) -> list[Columns]:
        """Shares, comments and the like, on articles."""
        chance = self.chance
        made = []
        for kind, share in ACTIONS:
            index = np.flatnonzero(
                (views["slot"] == ARTICLE) & (chance.random(len(views["at"])) < share)
            )
            action = _picked(views, index, kind)
            action["at"] = action["at"] + chance.integers(5_000, 90_000, len(index))
            made.append(action)
        return made

    def _turned_away(self, views: Columns) -> list[Columns]:
        """Paywalls met by readers who are not logged in; a few begin to buy, and do not."""
        chance = self.chance
        is_premium = np.append(self.articles.is_premium, [False])[views["article"]]
        is_out = views["user"] == self.crowd.accounts
        met = np.flatnonzero(is_premium & is_out & (chance.random(len(is_out)) < PAYWALL_SHARE))
        paywall = _picked(views, met, PAYWALL)
        paywall["at"] = paywall["at"] + 2_000
        checkout = _picked(views, met[chance.random(len(met)) < self.abandoned_share], CHECKOUT)
        checkout["at"] = checkout["at"] + 45_000
        return [paywall, checkout]

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

    def _purchases(self, day: int, sessions: Columns, buyers: list[int]) -> list[Columns]:
        """Each buyer's view, paywall and checkout, mostly on a story that makes subscribers."""
        chance = self.chance
        index = np.unique(np.searchsorted(sessions["person"], np.array(sorted(buyers), np.int64)))
        numbers, _ = self.articles.weights(day)
        converting = numbers[self.articles.converts[numbers]]
        article = chance.choice(numbers, len(index))
        if len(converting):
            chosen = chance.choice(converting, len(index))
            article = np.where(chance.random(len(index)) < CONVERTED_SHARE, chosen, article)
        steps = []
        for kind, after in ((VIEW, 15_000), (PAYWALL, 17_000), (CHECKOUT, 80_000)):
            made = {
                name: sessions[name][index] for name in ("visitor", "user", "device", "country")
            }
            made = self._on_front(made, sessions["at"][index] + after, kind)
            made["article"], made["slot"] = article, np.full(len(index), ARTICLE)
            steps.append(made)
        return steps

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

    def _measure(self, day: int, sessions: Columns) -> None:
        """Slow sessions keep readers away; of some sessions the speed is measured."""
        chance = self.chance
        slow = sessions["is_slow"]
        self._slow_until[sessions["person"][slow]] = day + SLOW_DAYS
        index = np.flatnonzero(chance.random(len(slow)) < MEASURED_SHARE)
        count = len(index)
        fast = np.minimum(chance.lognormal(7.4, 0.35, count), SLOW_LCP_MS - 1)
        lcp = np.where(slow[index], SLOW_LCP_MS + chance.gamma(2, 700, count), fast).round(1)
        visitor = sessions["visitor"][index]
        bad = self._bad_ones(count, FEWEST_MEASURED)
        lcp[bad[::2]] *= -1
        visitor[bad[1::2]] = len(self.crowd.visitor_ids)
        numbers, _ = self.articles.weights(day)
        article = chance.choice(np.append(numbers, len(self.articles.ids)), count)
        self._speed.append(
            pa.table(
                {
                    "id": _numbered("m", day, count),
                    "at": pa.array(sessions["at"][index]),
                    "visitor": self._names["visitor"].take(pa.array(visitor)),
                    "page": self._address(pa.array(article)),
                    "device": self._names["device"].take(pa.array(sessions["device"][index])),
                    "lcp": pa.array(lcp),
                    "inp": pa.array(np.round(chance.lognormal(4.8, 0.5, count), 1)),
                    "cls": pa.array(np.round(chance.gamma(1, 0.05, count), 4)),
                }
            )
        )
        self.out.count("page_speed", rows=count, bad=len(bad), keys=count - len(bad))
        if self.calendar.date(day + 1).day == 1:
            self._write_speed(day + 1)

    def _bad_ones(self, count: int, fewest: int) -> Ints:
        """Which of a day's rows are bad."""
        share = BAD_SHARE if count >= fewest else 0.0
        return np.flatnonzero(self.chance.random(count) < share)

    def _address(self, article: pa.Array) -> pa.Array:
        """Where an article is; the front page's address is the site's."""
        path = self._names["article"].take(article)
        return pc.binary_join_element_wise(
            SITE, path, "", null_handling="replace", null_replacement=""
        )

    def _write_speed(self, day: int) -> None:
        if self._speed:
            month = self.calendar.date(day - 1)
            self.out.parquet(f"page_speed/{month:%Y-%m}.parquet", [pa.concat_tables(self._speed)])
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
        bad = self._bad_ones(count, FEWEST_EVENTS)
        columns = self._broken(columns, bad) | {"number": number, "received": columns["at"] + delay}
        again = np.flatnonzero(chance.random(count) < REPEATED_SHARE)
        repeated = {name: values[again] for name, values in columns.items()}
        repeated["received"] = repeated["received"] + chance.integers(
            0, 2 * 86_400_000, len(again)
        ) * chance.integers(0, 2, len(again))
        twice_bad = len(np.intersect1d(again, bad))
        self.out.count(
            "events",
            rows=count + len(again),
            bad=len(bad) + twice_bad,
            keys=count - len(bad),
        )
        self._post(_stacked([columns, repeated]))

    def _broken(self, columns: Columns, bad: Ints) -> Columns:
        """The columns with one of them spoilt where an event is bad: in turn one of three."""
        kind, visitor, at = (columns[name].copy() for name in ("type", "visitor", "at"))
        kind[bad[::3]] = UNKNOWN
        visitor[bad[1::3]] = len(self.crowd.visitor_ids)
        at[bad[2::3]] += FAR_FUTURE_MS
        return columns | {"type": kind, "visitor": visitor, "at": at}

    def _post(self, columns: Columns) -> None:
        """Puts each event into the file of the day it was received on."""
        midnights = self.calendar.midnights_ms
        arrival = np.searchsorted(midnights, columns["received"], side="right") - 1
        # What is received after the last day comes with the last file.
        arrival = np.minimum(arrival, self.calendar.days - 1)
        for day in np.unique(arrival).tolist():
            mask = arrival == day
            part = {name: values[mask] for name, values in columns.items()}
            self._pending.setdefault(day, []).append(part)

    def _table(self, columns: Columns) -> pa.Table:
        named = {name: names.take(pa.array(columns[name])) for name, names in self._names.items()}
        came = {
            name: names.take(pa.array(columns["channel"]))
            for name, names in self._by_channel.items()
        }
        # Newsletters tell the site whom they were sent to: what landing must not keep.
        sent_to = pc.if_else(pa.array(columns["channel"] == NEWSLETTER), named["user"], None)
        query = pc.fill_null(pc.binary_join_element_wise("?lukija=", sent_to, ""), "")
        return pa.table(
            {
                "id": pc.binary_join_element_wise(
                    "e", pa.array(columns["number"]).cast(pa.string()), ""
                ),
                "ts": pa.array(columns["at"]),
                "received": pa.array(columns["received"]),
                **named,
                **came,
                "url": pc.binary_join_element_wise(
                    self._address(pa.array(columns["article"])), query, ""
                ),
            }
        )

    def _write(self, day: int) -> None:
        if parts := self._pending.pop(day, []):
            columns = _stacked(parts)
            self.out.parquet(
                f"events/{self.calendar.date(day).isoformat()}.parquet",
                (
                    self._table({name: v[at : at + ROWS_AT_ONCE] for name, v in columns.items()})
                    for at in range(0, len(columns["at"]), ROWS_AT_ONCE)
                ),
            )


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
