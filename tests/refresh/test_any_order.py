"""The marts are a function of what landed, not of how it arrived."""

import datetime as dt
import itertools
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.refresh import history
from tests.refresh.small import Small

FEEDS = ("events", "accounts", "subscriptions", "payments", "ad_revenue", "exchange_rates")
KEY = "0123456789abcdef0123456789abcdef"

# A whole refresh takes seconds: few histories here. For more: pytest --hypothesis-profile=many.
settings.register_profile("many", max_examples=100, deadline=None)


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Small]:
    monkeypatch.setenv("ARVO_PSEUDONYM_KEY", KEY)
    numbers = itertools.count()
    return lambda: Small(tmp_path / str(next(numbers)), FEEDS)


def add_all(small: Small, rows: history.Rows) -> None:
    """One file per feed with its rows in the order given."""
    for feed in FEEDS:
        mine = [row for each, row in rows if each == feed]
        if mine:
            small.add(feed, *mine)


few = settings(
    max_examples=2,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
seeds = st.integers(0, 10**6)


@few
@given(seed=seeds)
def test_any_batches_in_any_order_with_repeats_give_the_marts_of_one_full_load(
    made: Callable[[], Small], seed: int
) -> None:
    order = random.Random(seed)  # noqa: S311
    rows = history.rows(seed, repeated_share=0.15)
    deliveries = [*rows, *order.choices(rows, k=30)]
    order.shuffle(deliveries)
    incremental = delivered(made(), deliveries, batches=3)
    assert_same(incremental.built(), loaded_at_once(made(), rows).built())


@few
@given(seed=seeds)
def test_day_by_day_with_late_events_gives_the_marts_of_one_full_load(
    made: Callable[[], Small], seed: int
) -> None:
    order = random.Random(seed)  # noqa: S311
    rows = history.rows(seed, repeated_share=0.01)
    deliveries = sorted(
        rows, key=lambda row: (_day(row[1]) + order.choice([0] * 200 + [1, 2, 3]), order.random())
    )
    incremental = delivered(made(), deliveries, batches=6)
    assert_same(incremental.built(), loaded_at_once(made(), rows).built())


def test_an_incremental_refresh_equals_a_full_one(made: Callable[[], Small]) -> None:
    small = delivered(made(), history.rows(seed=7, repeated_share=0.1), batches=2)
    incremental = small.built()
    assert small.build(is_full=True).is_full
    assert_same(incremental, small.built())


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
    day = str(row.get("occurred_at") or row.get("day") or "2024-03-31")[:10]
    return dt.date.fromisoformat(day).toordinal()


def assert_same(one: dict[str, list[object]], other: dict[str, list[object]]) -> None:
    assert one.keys() == other.keys()
    assert any(one.values())
    for name, rows in one.items():
        assert rows == other[name], name
