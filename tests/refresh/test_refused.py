"""A refused refresh of each kind, and that what readers open stays byte for byte the same."""

from collections.abc import Callable, Sequence
from pathlib import Path

import duckdb
import pytest

import quality.landing
import quality.marts
from orchestration import publisher, running, settings
from orchestration.errors import RefusedError
from orchestration.refresh import Refresh
from orchestration.reports import PUBLISHED, REFUSED
from quality.suite import Suite, no_rows, rows_due
from tests.refresh.small import Small, page_view, payment, subscription


def by_dagster(small: Small) -> Refresh:
    """The refresh that `arvo refresh` runs: Dagster's job."""
    return running.refresh(
        small.home,
        publisher.load(small.path),
        as_of=None,
        is_full=False,
        say=lambda line: None,
    )


def step_by_step(small: Small) -> Refresh:
    """The same steps without Dagster and dbt's tests."""
    return small.refresh(tests=False)


def content(small: Small) -> dict[Path, bytes]:
    """Every byte of what readers may open."""
    return {path: path.read_bytes() for path in small.home.published.iterdir()}


def refused(small: Small, refreshed: Callable[[Small], Refresh]) -> Refresh:
    before = content(small)
    run = refreshed(small)
    assert content(small) == before
    assert run.verdict == REFUSED
    assert isinstance(run.error, RefusedError)
    assert (run.folder / "index.html").exists()
    return run


def test_a_batch_with_too_many_bad_rows_is_refused_with_counts_and_examples(
    published: Small,
) -> None:
    good = page_view("e10", "v1", "2024-03-03T10:00:00Z")
    published.add("events", good, page_view("e11", "v1", "the third of March"))
    run = refused(published, by_dagster)
    assert "1 of its 2 rows are bad" in run.reason
    assert "occurred_at: cannot be read as timestamp" in run.reason
    assert "the third of March" in run.reason


def test_a_failed_test_of_the_models_is_refused_with_the_rows_that_fail(published: Small) -> None:
    published.add(
        "subscriptions", subscription("s1", "liisa@example.fi", "2024-02-20T00:00:00Z", amount=12)
    )
    run = refused(published, by_dagster)
    [failed] = run.verdicts[-1].results
    assert failed.check_name == "periods_of_a_subscription_do_not_overlap"
    assert "subscription_id: s1" in failed.offending_keys[0]
    assert "periods_of_a_subscription_do_not_overlap" in run.reason


def test_a_failed_expectation_about_the_marts_is_refused(published: Small) -> None:
    # A closed month's ledger that loses nine tenths is no correction.
    published.add(
        "payments",
        payment("p2", "liisa@example.fi", "2024-03-05T00:00:00Z", 10),
        payment("p1", "liisa@example.fi", "2024-02-10T00:00:00Z", 1),
    )
    run = refused(published, by_dagster)
    assert "last_version" in {r.suite for r in run.verdicts[-1].results if not r.is_passed}


def test_an_address_quoted_by_a_refusal_is_withheld_and_blocks_no_later_refresh(
    published: Small,
) -> None:
    bad = published.add("events", page_view("e11", "v1", "liisa.virtanen@example.fi"))
    run = refused(published, step_by_step)
    assert "cannot be read as timestamp" in run.reason
    bad.unlink()
    published.add("events", page_view("e11", "v1", "2024-03-03T10:00:00Z"))
    assert step_by_step(published).verdict == PUBLISHED
    told = str(published.rows("select reason from refreshes"))
    assert "cannot be read as timestamp" in told
    assert "liisa" not in told


def test_what_differs_from_the_past_can_be_accepted_with_a_reason(published: Small) -> None:
    published.add("payments", payment("p1", "liisa@example.fi", "2024-02-10T00:00:00Z", 1))
    refused(published, step_by_step)
    assert published.refresh(tests=False, accepted="the ledger was wrong").verdict == PUBLISHED
    accepted = published.rows(
        "select severity, reason from quality_results "
        "where check_name = 'closed_months_changed' and not is_passed order by refresh_id"
    )
    assert [severity for severity, _ in accepted] == ["critical", "warning"]
    assert accepted[1][1].endswith("Accepted: the ledger was wrong")


def test_an_expectation_that_raises_is_refused(
    published: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(connection: duckdb.DuckDBPyConnection) -> Sequence[Suite]:
        query = "select no_such_column from {batch}"
        check = no_rows("raises", query, "A check that cannot run has not passed.")
        due = rows_due(1, "A suite says how many rows it needs.")
        return [Suite("broken", "select 1 as one", (due, check))]

    monkeypatch.setattr(quality.marts, "suites", broken)
    published.add("events", page_view("e10", "v1", "2024-03-03T10:00:00Z"))
    run = refused(published, step_by_step)
    assert "no_such_column" in run.reason


def test_an_empty_suite_is_refused(published: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = Suite("empty", "select 1 as one", ())
    monkeypatch.setattr(quality.landing, "suites", lambda connection: [empty])
    published.add("events", page_view("e10", "v1", "2024-03-03T10:00:00Z"))
    run = refused(published, step_by_step)
    assert "empty" in run.reason


def test_no_suite_at_all_is_refused(published: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quality.marts, "suites", lambda connection: [])
    published.add("events", page_view("e10", "v1", "2024-03-03T10:00:00Z"))
    refused(published, step_by_step)


def test_what_was_refused_publishes_once_it_is_mended(published: Small) -> None:
    bad = published.add("events", page_view("e11", "v1", "the third of March"))
    refused(published, step_by_step)
    bad.unlink()
    published.add("events", page_view("e11", "v1", "2024-03-03T10:00:00Z"))
    assert step_by_step(published).verdict == PUBLISHED
    assert published.rows("select verdict from refreshes order by refresh_id") == [
        ("published",),
        ("refused",),
        ("published",),
    ]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a run tells its process ends with the test."""
    for name in ("ARVO_PUBLISHER", "ARVO_HOME", "DAGSTER_HOME"):
        if name in settings.environment():
            monkeypatch.setenv(name, settings.environment()[name])
        else:
            monkeypatch.setenv(name, "")
            monkeypatch.delenv(name)
