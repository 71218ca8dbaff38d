"""The ledger's totals, worked out past the models, agree with definitions and models."""

import datetime as dt
from pathlib import Path

import pytest

from orchestration.reports import PUBLISHED
from tests.refresh.small import Small, subscription


@pytest.fixture
def prices(tmp_path: Path) -> Small:
    """One subscriber for every billing period, with prices whose month is no whole cent."""
    small = Small(tmp_path / "small", ["subscriptions", "exchange_rates"], grace_days=10)
    start = "2024-01-10T00:00:00Z"
    small.add("exchange_rates", {"day": "2024-01-01", "currency": "SEK", "rate": 0.0877})
    small.add(
        "subscriptions",
        subscription("year", "a", start, amount=99.9, billing_period="year"),
        subscription("thirds", "b", start, amount=2000, billing_period="year"),
        subscription("week", "c", start, amount=4.99, billing_period="week"),
        subscription("quarter", "d", start, amount=99.99, billing_period="quarter"),
        subscription("sek", "e", start, amount=119, currency="SEK"),
        subscription("trial", "f", start, status="trial"),
        subscription("unpaid", "g", "2024-01-01T00:00:00Z", status="past_due"),
        subscription("ended", "h", start, ended_at="2024-01-20T00:00:00Z"),
    )
    return small


def test_models_and_ledger_agree_on_the_mrr_of_every_billing_period(prices: Small) -> None:
    # 8.33 (99.90 / 12 = 8.325, half a cent up) + 166.67 + 21.62 + 33.33 + 119 SEK * .0877 = 10.4363

    assert prices.refresh(tests=False, as_of=dt.date(2024, 1, 31)).verdict == PUBLISHED
    assert prices.rows(
        "select cast(end_mrr as varchar) from mrr_monthly where plan = '(all plans)'"
    ) == [("240.3863",)]
