"""A refused refresh of each kind, run as the command runs it: by Dagster's job."""

from collections.abc import Sequence
from pathlib import Path

import duckdb
import pytest

import quality.landing
import quality.marts
from orchestration import publisher, running, settings
from orchestration.errors import RefusedError
from orchestration.refresh import PUBLISHED, REFUSED, Refresh
from quality.suite import Suite, no_rows
from tests.refresh.small import Small, page_view, payment, subscription


def arvo_refresh(small: Small) -> Refresh:
    """The refresh that `arvo refresh` runs."""
    return running.refresh(
        small.home,
        publisher.load(small.path),
        as_of=None,
        is_full=False,
        say=lambda line: None,
    )


@pytest.fixture
def published(small: Small) -> Small:
    assert small.refresh(tests=False).verdict == PUBLISHED
    return small


def content(small: Small) -> dict[Path, bytes]:
    """Every byte of what readers may open."""
    return {path: path.read_bytes() for path in small.home.published.iterdir()}


def refused(small: Small) -> Refresh:
    before = content(small)
    run = arvo_refresh(small)
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
    run = refused(published)
    assert "1 of 2 rows" in run.reason
    assert "occurred_at: cannot be read as timestamp" in run.reason
    assert "the third of March" in run.reason


def test_a_failed_test_of_the_models_is_refused_with_the_rows_that_fail(published: Small) -> None:
    published.add(
        "subscriptions", subscription("s1", "liisa@example.fi", "2024-02-20T00:00:00Z", amount=12)
    )
    run = refused(published)
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
    run = refused(published)
    assert "last_version" in {r.suite for r in run.verdicts[-1].results if not r.is_passed}


def test_an_expectation_that_raises_is_refused(
    published: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(connection: duckdb.DuckDBPyConnection) -> Sequence[Suite]:
        query = "select no_such_column from {batch}"
        check = no_rows("raises", query, "A check that cannot run has not passed.")
        return [Suite("broken", "select 1 as one", (check,))]

    monkeypatch.setattr(quality.marts, "suites", broken)
    published.add("events", page_view("e10", "v1", "2024-03-03T10:00:00Z"))
    run = refused(published)
    assert "no_such_column" in run.reason


def test_an_empty_suite_is_refused(published: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = Suite("empty", "select 1 as one", ())
    monkeypatch.setattr(quality.landing, "suites", lambda connection: [empty])
    published.add("events", page_view("e10", "v1", "2024-03-03T10:00:00Z"))
    run = refused(published)
    assert "empty" in run.reason


def test_no_suite_at_all_is_refused(published: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quality.marts, "suites", lambda connection: [])
    published.add("events", page_view("e10", "v1", "2024-03-03T10:00:00Z"))
    refused(published)


def test_what_was_refused_publishes_once_it_is_mended(published: Small) -> None:
    bad = published.add("events", page_view("e11", "v1", "the third of March"))
    refused(published)
    bad.write_text("")
    bad.unlink()
    published.add("events", page_view("e11", "v1", "2024-03-03T10:00:00Z"))
    assert arvo_refresh(published).verdict == PUBLISHED
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
