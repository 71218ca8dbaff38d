"""Activity and first purchases, from files to the mart."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

from orchestration import refresh, warehouse
from orchestration.reports import PUBLISHED
from tests.refresh.small import Row, Small, invoke, page_view, payment

AS_OF = dt.date(2024, 6, 30)
FEEDS = ("events", "accounts", "payments")
COUNTED = (
    "select exposed_purchasers, exposed_customers, unexposed_purchasers, unexposed_customers "
    "from marts.activity_purchase_lift where "
)


def daily(first: int, last: int) -> Iterator[Row]:
    """Somebody without an account comes every day, from so many days ago to so many days ago."""
    for age in range(last, first + 1):
        day = AS_OF - dt.timedelta(days=age)
        yield page_view(f"daily{age}", "somebody", f"{day}T09:00:00Z")


def accounts() -> Iterator[Row]:
    """Ten accounts registered long ago; the first four come from search."""
    for number in range(10):
        source = "search" if number < 4 else None
        yield {
            "account_id": f"a{number}",
            "registered_at": "2022-01-01T10:00:00Z",
            "acquisition_channel": source,
        }


def visit(number: int, day: str, **more: object) -> Row:
    return page_view(f"{number}{day}", f"v{number}", f"{day}T10:00:00Z", **more)


def build(small: Small) -> None:
    """Lands what is new and builds the mart with what it takes, anew or by the pending days."""
    with small.opened() as run:
        for feed in run.publisher.feeds:
            refresh.land(run, feed)
        refresh.has_work(run)
        anew = ["--full-refresh"] if refresh.prepare_models(run).is_full else []
        chosen = ["run", "--select", "+activity_purchase_lift", *anew]
        assert invoke(small.home, chosen, small.home.build / "dbt")
        refresh.stamp(run)
        run.verdict = PUBLISHED


def lift(small: Small, condition: str) -> list[tuple[int | None, ...]]:
    with warehouse.connect(small.home, read_only=True) as connection:
        return connection.execute(COUNTED + condition).fetchall()


# The newest block begins on 3 June, its exposure on 6 May.
EARLY = [
    # Accounts 0, 1 and 4 come in the exposure, 1 of them logged out on a second day; 2 comes
    # before it and 3 after it.
    visit(0, "2024-05-06", account_id="a0"),
    visit(1, "2024-06-02", account_id="a1"),
    visit(1, "2024-05-31"),
    visit(2, "2024-05-05", account_id="a2"),
    visit(3, "2024-06-03", account_id="a3"),
]
LATE = [
    visit(4, "2024-05-20", account_id="a4", event_type="share"),
    # The same event once more, later: it stays what it was.
    visit(4, "2024-05-20", account_id="a4", event_type="comment"),
    visit(9, "2024-05-20", account_id="a9"),
]
BOUGHT = [
    payment("p0", "a0", "2024-06-03T10:00:00Z", 10),
    payment("p5", "a5", "2024-06-30T10:00:00Z", 10),
    # Bought before the block, so not among those who may buy for the first time in it.
    payment("p9", "a9", "2024-06-02T10:00:00Z", 10),
]


def test_active_customers_and_purchasers_are_counted_also_when_they_come_late(
    tmp_path: Path,
) -> None:
    stepwise = Small(tmp_path / "stepwise", FEEDS)
    stepwise.add("accounts", *accounts())
    stepwise.add("events", *daily(55, 0), *EARLY)
    stepwise.add("payments", *BOUGHT[:1])
    build(stepwise)
    # Of nine and the one who has not bought yet, 0, 1 are active: 0 buys, and nobody else.
    assert lift(stepwise, "activity = 'any_visit' and stratum = '2024-06-03'") == [(1, 2, 0, 8)]
    stepwise.add("events", *LATE)
    stepwise.add("payments", *BOUGHT[1:])
    build(stepwise)
    # 9 has left; 4 came; 5 bought without having come.
    assert lift(stepwise, "activity = 'any_visit' and stratum = '2024-06-03'") == [(1, 3, 1, 6)]
    assert lift(stepwise, "activity = 'two_active_days' and stratum = '2024-06-03'") == [
        (0, 1, 2, 8)
    ]
    assert lift(stepwise, "activity = 'shared_or_commented' and stratum = '2024-06-03'") == [
        (0, 1, 2, 8)
    ]
    assert lift(stepwise, "activity = 'any_visit' and stratum = 'search'") == [(1, 2, 0, 2)]
    # Nothing was seen before the exposure: what was prior is unknown, and says so.
    assert lift(stepwise, "activity = 'any_visit' and stratification = 'prior_intent'") == [
        (None, None, None, None)
    ]
