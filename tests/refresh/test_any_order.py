"""The marts are a function of what landed, not of how it arrived.

Two promises (decision 0002). Where rows say when they were updated, they may be cut into files in
any way, and come again. Else the file's time, its name and the place in it decide: the files may
come in any order, in however many refreshes, some of them killed.
"""

import datetime as dt
import itertools
import random
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from orchestration import warehouse
from tests.refresh import history
from tests.refresh.history import FEEDS, Tables
from tests.refresh.small import Small, page_view

KEY = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Small]:
    monkeypatch.setenv("ARVO_PSEUDONYM_KEY", KEY)
    # Sums of floating-point numbers depend on how many threads share them, if on anything.
    monkeypatch.setenv("ARVO_THREADS", "2")
    numbers = itertools.count()
    return lambda: history.publisher(tmp_path / str(next(numbers)))


# A refresh takes seconds: few histories here. For more: python -m tests.bench.histories.
few = settings(
    max_examples=1,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
seeds = st.integers(0, 10**6)


# One in which it shows when engaged seconds are not built again for the day after.
@pytest.mark.parametrize("seed", [3018])
def test_files_of_all_feeds_in_any_order_give_the_marts_of_one_refresh_with_all_of_them(
    made: Callable[[], Small], seed: int
) -> None:
    lived = history.history(seed)
    assert_same(history.played(made(), lived), history.loaded(made(), lived))


@few
@given(seed=seeds)
def test_any_batches_in_any_order_with_repeats_give_the_marts_of_one_full_load(
    made: Callable[[], Small], seed: int
) -> None:
    order = random.Random(seed)  # noqa: S311
    rows = history.rows(seed, repeated_share=0.15)
    deliveries = [*rows, *order.choices(rows, k=30)]
    order.shuffle(deliveries)
    incremental = delivered(made(), deliveries, batches=2)
    assert_same(incremental.built(), loaded_at_once(made(), rows).built())


def test_day_by_day_with_late_events_gives_the_marts_of_one_full_load_also_in_parts(
    made: Callable[[], Small], monkeypatch: pytest.MonkeyPatch
) -> None:
    order = random.Random(7)  # noqa: S311
    rows = history.rows(seed=7, repeated_share=0.03, first_at=history.AUTUMN)
    deliveries = sorted(
        rows, key=lambda row: (_day(row[1]) + order.choice([0] * 200 + [1, 2, 3]), order.random())
    )
    small = delivered(made(), deliveries, batches=3)
    incremental = small.built()
    assert_same(incremental, loaded_at_once(made(), rows).built())
    # A day or two at a time.
    monkeypatch.setattr(warehouse, "EVENTS_AT_ONCE", 20)
    assert small.build(is_full=True).is_full
    # The landing is the same: so is what the models note of deliveries.
    assert not history.differences(incremental, small.built())


def test_one_late_hour_moves_sessions_from_the_day_before_to_two_days_after(
    made: Callable[[], Small], monkeypatch: pytest.MonkeyPatch
) -> None:
    small = Small(made().folder / "events only", ["events"])
    # One who never pauses, from the first to the sixth: only midnights cut his session. Another
    # from the fifth to the seventh, whose first visit, late on the fourth, comes late as well.
    never = list(_reads("never", "2024-02-01T00:00:00+02:00", days=6))
    late = list(_reads("late", "2024-02-05T00:10:00+02:00", days=3))
    hour = [row for row in never if "2024-02-04T12" <= row["occurred_at"] < "2024-02-04T13"]
    hour.append(page_view("first", "late", "2024-02-04T23:45:00+02:00"))
    small.add("events", *(row for row in never + late if row not in hour))
    small.build("+int_sessions")
    small.add("events", *hour)
    assert not small.build("+int_sessions").is_full
    told = sessions(small)
    # By hand: the first midnight after his start lets a session pass, every later one cuts.
    assert sorted(row[0].day for row in told) == [1, 3, 4, 4, 5, 6, 6, 7]
    for at_once in (warehouse.EVENTS_AT_ONCE, 1):
        monkeypatch.setattr(warehouse, "EVENTS_AT_ONCE", at_once)
        small.build("+int_sessions", is_full=True)
        assert told == sessions(small)


def sessions(small: Small) -> list[tuple[Any, ...]]:
    """All rows of int_sessions."""
    with warehouse.connect(small.home, read_only=True) as connection:
        return connection.execute("from intermediate.int_sessions order by all").fetchall()


def _reads(visitor: str, since: str, days: int) -> Iterator[dict[str, Any]]:
    """A page view every 29 minutes."""
    at = dt.datetime.fromisoformat(since)
    end = at.replace(hour=0, minute=0) + dt.timedelta(days=days)
    while at < end:
        yield page_view(f"{visitor} {at}", visitor, at.isoformat())
        at += dt.timedelta(minutes=29)


def test_the_histories_hold_what_makes_order_matter() -> None:
    lived = [history.history(seed) for seed in range(40)]
    arrivals = [arrival for each in lived for arrival in each.arrivals]
    assert {arrival.dies_before for arrival in arrivals} == {None, "models", "marts"}
    # Refreshes that bring few feeds, and days asked for.
    assert {len({file.feed for file in arrival.files}) for arrival in arrivals} > {1, 2, len(FEEDS)}
    assert any(arrival.as_of for arrival in arrivals)
    # Files that grow, and copies under another name.
    assert any(len(each.files) < each.batch_count for each in lived)
    contents = [[(file.feed, file.rows) for file in each.files] for each in lived]
    assert any(file in each[:place] for each in contents for place, file in enumerate(each))
    for each in lived:
        assert {file.feed for file in each.arrivals[0].files} == set(FEEDS)


def add_all(small: Small, rows: history.Rows) -> None:
    """One file per feed with its rows in the order given."""
    for feed in FEEDS:
        mine = [row for each, row in rows if each == feed]
        if mine:
            small.add(feed, *mine)


def delivered(small: Small, rows: history.Rows, *, batches: int) -> Small:
    """The publisher after as many refreshes, each with the next part of the rows."""
    # A feed that is configured has a file: one row of each comes first.
    rows = [next(row for row in rows if row[0] == feed) for feed in FEEDS] + rows
    edges = [round(len(rows) * n / batches) for n in range(batches + 1)]
    for number, (begin, end) in enumerate(itertools.pairwise(edges)):
        add_all(small, rows[begin:end])
        assert small.build().is_full == (number == 0)
    return small


def loaded_at_once(small: Small, rows: history.Rows) -> Small:
    """The publisher after one refresh with all rows."""
    add_all(small, rows)
    small.build()
    return small


def _day(row: Mapping[str, Any]) -> int:
    """The day a row is about, as a number; what says none comes in the middle."""
    middle = history.AUTUMN + dt.timedelta(days=3)
    day = str(row.get("occurred_at") or row.get("day") or middle.isoformat())[:10]
    return dt.date.fromisoformat(day).toordinal()


def assert_same(one: Tables, other: Tables) -> None:
    assert not history.differences(one, other, but=history.TELL_OF_DELIVERIES)
