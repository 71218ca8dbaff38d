"""The marts are a function of what landed, not of how it arrived."""

import itertools
import random
from collections.abc import Callable
from pathlib import Path

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


@settings(
    max_examples=4,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(seed=st.integers(0, 10**6), order=st.randoms(use_true_random=False), count=st.integers(2, 4))
def test_any_batches_in_any_order_with_repeats_give_the_marts_of_one_full_load(
    made: Callable[[], Small], seed: int, order: random.Random, count: int
) -> None:
    rows = history.rows(seed)
    deliveries = [*rows, *order.choices(rows, k=30)]
    order.shuffle(deliveries)
    # A feed that is configured has a file: one row of each comes first.
    deliveries = [next(row for row in deliveries if row[0] == feed) for feed in FEEDS] + deliveries
    edges = [round(len(deliveries) * n / count) for n in range(count + 1)]

    whole = made()
    add_all(whole, rows)
    whole.build()
    piecemeal = made()
    plans = []
    for begin, end in zip(edges, edges[1:], strict=False):
        add_all(piecemeal, deliveries[begin:end])
        plans.append(piecemeal.build())

    assert [plan.is_full for plan in plans] == [True] + [False] * (count - 1)
    incremental = piecemeal.built()
    assert_same(incremental, whole.built())
    piecemeal.build(is_full=True)
    assert_same(incremental, piecemeal.built())


def assert_same(one: dict[str, list[object]], other: dict[str, list[object]]) -> None:
    assert one.keys() == other.keys()
    assert any(one.values())
    for name, rows in one.items():
        assert rows == other[name], name
