"""A metric says nothing of what nobody has told: no row, never a 0, before its feeds begin."""

from collections.abc import Mapping
from typing import Any

import pytest

from orchestration import warehouse
from tests.refresh.small import Row, Small, bill, page_view, subscription

FEEDS = (
    "events", "content", "accounts", "subscriptions", "referrals", "ad_revenue", "page_speed",
    "consents", "costs",
)  # fmt: skip
Told = Mapping[tuple[str, str, str], tuple[float, float | None]]


def _event(visitor: str, day: str, **more: Any) -> Row:
    name = f"{visitor} {day} {more.get('event_type', '')}"
    return page_view(name, visitor, f"{day}T12:00:00Z", **more)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """Numerator and denominator by metric, month and segment, of feeds that begin one by one."""
    small = Small(tmp_path_factory.mktemp("known") / "small", FEEDS, time_zone="UTC")
    (small.folder / "assumptions.yml").write_text(
        "subscription_margin: {low: 0.5, base: 0.6, high: 0.7}\n"
    )
    checkout = {"event_type": "checkout"}
    dear = {"account_id": "liisa", "content_id": "dear"}
    unpriced = {"account_id": "matti", "content_id": "unpriced"}
    small.add(
        "events",
        *(_event("v1", day) for day in ("2023-10-01", "2023-11-20", "2024-02-10")),
        *(_event("v1", day) for day in ("2024-03-31", "2024-04-02")),
        *(_event("v1", day, content_id="dear") for day in ("2024-02-01", "2024-03-10")),
        # The first events that name accounts, and the first steps on the way to a purchase.
        *(_event("v2", "2024-02-10", **dear, **kind) for kind in ({}, checkout)),
        *(_event("v3", "2024-02-10", **unpriced, **kind) for kind in ({}, checkout)),
        _event("v1", "2024-03-10", event_type="share"),
        _event("v2", "2024-03-10", account_id="liisa", device="desktop"),
        _event("v4", "2024-03-10", device="tablet"),
        _event("v5", "2024-03-31", device="desktop"),
    )
    published = {"published_at": "2024-02-10T06:00:00Z"}
    small.add(
        "content",
        {"content_id": "dear", "section": "local", "production_cost": 100, **published},
        {"content_id": "unpriced", "section": "wire", **published},
    )
    small.add(
        "accounts",
        {"account_id": "liisa", "registered_at": "2024-02-10T10:00:00Z"},
        *({"account_id": account} for account in ("matti", "vanha", "lukija")),
    )
    small.add(
        "subscriptions",
        subscription("s0", "vanha", "2024-01-05T12:00:00Z", ended_at="2024-03-15T00:00:00Z"),
        subscription("s1", "liisa", "2024-02-10T13:00:00Z"),
        subscription("s2", "matti", "2024-02-10T13:00:00Z"),
    )
    came = {"referrer_account_id": "vanha", "referred_account_id": "liisa"}
    small.add(
        "referrals",
        {"referral_id": "r1", "occurred_at": "2024-02-01T12:00:00Z", "outcome": "click", **came},
        {**came, "referral_id": "r2", "occurred_at": "2024-02-10T13:00:00Z"}
        | {"outcome": "subscription"},
    )
    small.add(
        "ad_revenue",
        bill("2023-12-05", 7),
        bill("2024-02-01", 5, placement="newsletter"),
        bill("2024-02-10", 6),
        bill("2024-03-10", 9),
        bill("2024-03-10", 4, device="mobile"),
        bill("2024-03-31", 2, device="desktop"),
        # Nobody says what a krona is worth.
        bill("2024-04-02", 3, currency="SEK", device="mobile"),
        bill("2024-04-02", 1),
    )
    spent = {"kind": "acquisition", "channel": "search", "currency": "EUR"}
    small.add(
        "costs",
        {"day": "2023-12-10", "amount": 50, **spent},
        {"day": "2024-01-10", "amount": 30, **spent},
    )
    small.add(
        "page_speed",
        *(
            {"measurement_id": day, "measured_at": f"{day}T12:00:00Z", "visitor_id": "v1"}
            | {"lcp_ms": lcp}
            for day, lcp in (("2023-11-20", 2000), ("2024-03-20", 4000))
        ),
    )
    decided = {"decided_at": "2023-11-20T12:00:00Z", "purpose": "ads", "granted": True}
    small.add("consents", {"visitor_id": "v1", **decided})
    small.build()
    with warehouse.connect(small.home, read_only=True) as connection:
        rows = connection.execute(
            "select metric, strftime(period_start, '%Y-%m'), segment, numerator::double, "
            "denominator::double from marts.metric_values where period = 'month'"
        ).fetchall()
    return {row[:3]: row[3:] for row in rows}


def _months(told: Told, metric: str, segment: str = "(all)") -> dict[str, tuple[Any, ...]]:
    return {
        month: value
        for (name, month, part), value in sorted(told.items())
        if (name, part) == (metric, segment)
    }


def test_what_stories_sold_is_known_from_the_first_purchase_and_step_on(told: Told) -> None:
    # Both bought after a checkout at a story of two views; then a view sold nothing. What was read
    # on 1 February, before any step was told, does not count.
    assert _months(told, "conversions_per_1000_views") == {
        "2024-02": (2000, 2),
        "2024-03": (0, 1),
    }


def test_a_story_without_a_stated_cost_is_not_free(told: Told) -> None:
    assert _months(told, "production_cost_per_conversion") == {"2024-02": (100, 1)}
    assert _months(told, "production_cost_per_conversion", "local") == {"2024-02": (100, 1)}
    assert _months(told, "production_cost_per_conversion", "wire") == {}


def test_who_was_recommended_is_known_from_the_first_referral_on(told: Told) -> None:
    # One of the two of 10 February; nobody knows how the one of January came.
    assert _months(told, "referred_subscriber_share") == {"2024-02": (1, 2)}


def test_who_registers_and_buys_is_known_from_the_first_who_did(told: Told) -> None:
    # Logged out were one visit of 10 February, two of each day of March and one of April.
    assert _months(told, "registration_rate") == {
        "2024-02": (1000, 1),
        "2024-03": (0, 4),
        "2024-04": (0, 1),
    }
    # Bills began in December, purchases in January; lukija never bought, vanha in January.
    assert _months(told, "paid_conversion_rate") == {
        "2024-01": (1, 2),
        "2024-02": (2, 3),
        "2024-03": (0, 1),
    }


def test_money_spent_before_any_customer_is_told_won_nobody_known(told: Told) -> None:
    # December's 50 euros are in no year's cost of a customer; January's 30 won vanha.
    assert _months(told, "cac") == {"2024-01": (30, 1)}
    # He pays 10 euros a month, of which six are left: five months.
    assert _months(told, "cac_payback_months") == {"2024-01": (30, 6)}


def test_what_events_never_tell_is_not_nothing(told: Told) -> None:
    # Shares are told from 10 March on, when three read; two did on the 31st.
    assert _months(told, "shares_per_1000_readers") == {"2024-03": (1000, 5), "2024-04": (0, 1)}
    # Accounts are named from 10 February on: two of three visits, one of five, none.
    assert _months(told, "logged_in_visit_share") == {
        "2024-02": (2, 3),
        "2024-03": (1, 5),
        "2024-04": (0, 1),
    }
    # The thirty days up to the end of February began before: nobody is known to have slept. Of
    # liisa and matti, who pay at the end of March, matti has not been there since.
    assert _months(told, "sleepers") == {"2024-03": (1, None), "2024-04": (1, None)}
    assert _months(told, "active_subscriber_share") == {"2024-03": (1, 2), "2024-04": (1, 2)}


def test_why_customers_left_is_unknown_where_no_reason_is_told(told: Told) -> None:
    # In February nobody left; in March vanha did, and nobody says why.
    assert _months(told, "involuntary_churn_rate") == {"2024-02": (0, 1)}
    assert _months(told, "logo_churn_rate")["2024-03"] == (1, 3)


def test_a_device_has_only_what_is_billed_for_it(told: Told) -> None:
    # 6 euros of 10 February for three page views; 9 + 4 and 2 for three and two of March. The
    # newsletter of 1 February, billed alone, is nobody's page view, and what the kronor of April
    # come to is unknown.
    assert _months(told, "page_rpm") == {"2024-02": (6000, 3), "2024-03": (15000, 5)}
    # The bills of 10 March name mobile and those of the 31st desktop, each with a view on both
    # days. The tablet is in no bill of its own.
    assert _months(told, "page_rpm", "mobile") == {"2024-03": (4000, 2)}
    assert _months(told, "page_rpm", "desktop") == {"2024-03": (2000, 2)}
    assert _months(told, "page_rpm", "tablet") == {}
    assert _months(told, "visitor_value_per_visit") == {"2024-02": (6, 3), "2024-03": (15, 5)}


def test_months_begin_with_the_feeds_of_the_metric_and_not_with_money(told: Told) -> None:
    # The last 28 days of November hold its 20th; those up to 2 April the 20th of March.
    assert _months(told, "p75_lcp") == {
        "2023-11": (2000, None),
        "2024-03": (4000, None),
        "2024-04": (4000, None),
    }
    assert list(_months(told, "consented_share")) == [
        "2023-11", "2023-12", "2024-01", "2024-02", "2024-03", "2024-04",
    ]  # fmt: skip
    assert _months(told, "consented_share", "ads")["2023-11"] == (1, 1)
    # In the thirty days up to the ends of October, December and January nobody came.
    assert list(_months(told, "rfv_median")) == ["2023-11", "2024-02", "2024-03", "2024-04"]
