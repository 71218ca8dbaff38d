"""Whole refreshes of small publishers."""

from pathlib import Path

import pytest

from tests.refresh.small import Small, bill, page_view, payment, subscription

FEEDS = ("events", "accounts", "subscriptions", "payments", "ad_revenue")


@pytest.fixture
def small(tmp_path: Path) -> Small:
    """A publisher with two readers, one of them a subscriber, not yet refreshed."""
    made = Small(tmp_path / "small", FEEDS)
    fill(made)
    return made


def fill(small: Small) -> None:
    """Two readers on two days: Liisa, who subscribes and is not always logged in, and one more."""
    small.add(
        "accounts", {"account_id": "liisa@example.fi", "registered_at": "2024-02-01T08:00:00Z"}
    )
    small.add(
        "events",
        page_view("e1", "v1", "2024-03-01T10:00:00Z", account_id="liisa@example.fi"),
        page_view("e2", "v1", "2024-03-01T10:10:00Z"),
        page_view("e3", "v2", "2024-03-01T11:00:00Z"),
        page_view("e4", "v2", "2024-03-02T11:00:00Z"),
    )
    small.add("subscriptions", subscription("s1", "liisa@example.fi", "2024-02-10T00:00:00Z"))
    small.add("payments", payment("p1", "liisa@example.fi", "2024-02-10T00:00:00Z", 10))
    small.add("ad_revenue", bill("2024-03-01", 9), bill("2024-03-02", 5))
