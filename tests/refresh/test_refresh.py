"""What a refresh leaves for its readers."""

import datetime as dt
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from orchestration import batches, idle, landing, publisher, refresh, reports, settings
from orchestration.errors import RefusedError, SystemFailure
from orchestration.examiner import Judge
from orchestration.reports import FAILED, NOTHING_NEW, PUBLISHED
from orchestration.settings import Home
from quality.gate import CheckResult, Verdict
from tests.bench import crashes
from tests.refresh.conftest import FEEDS
from tests.refresh.small import Small, bill, build, page_view, payment, subscription


def test_a_refresh_publishes_what_each_customer_is_worth(small: Small) -> None:
    # Two of three page views of the first of March are Liisa's, one of them logged out: 6 of the
    # 9 euros billed; the stranger has the other 3 and all 5 of the second.
    assert small.refresh().verdict == PUBLISHED
    assert small.rows(
        "select kind, economic_past_value, visitor_value, observed_value, engagement_value "
        "from customer_value order by kind"
    ) == [("account", 10, 6, 16, None), ("visitor", 0, 8, 8, None)]
    assert small.rows("select segment, session_count from customers order by segment") == [
        ("subscriber", 1),
        ("visitor", 2),
    ]
    assert small.rows(
        "select cast(month as varchar), new_mrr, end_mrr, movement, is_complete_month "
        "from mrr_movements order by month"
    ) == [
        ("2024-02-01", 10, 10, "new", True),
        ("2024-03-01", 0, 10, "unchanged", False),
    ]


def test_nothing_new_publishes_nothing(published: Small) -> None:
    small = published
    before = sorted(small.home.published.iterdir())
    assert small.refresh(tests=False).verdict == NOTHING_NEW
    assert sorted(small.home.published.iterdir()) == before


# Run in a process of its own: this one has loaded everything.
NOTHING_NEW_AT_ONCE = """
import sys
from orchestration.cli import main
code = main(["refresh", "--publisher", sys.argv[1], "--home", sys.argv[2]])
sys.exit(code or bool({"dagster", "dbt", "great_expectations"} & sys.modules.keys()))
"""


def test_nothing_new_is_told_without_loading_dagster_or_dbt(refreshed: Small) -> None:
    reports = sorted(refreshed.home.reports.iterdir())
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", NOTHING_NEW_AT_ONCE, refreshed.path, refreshed.home.root],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = done.stdout.splitlines()
    assert told[:5] == [f"land     {feed}: nothing new" for feed in FEEDS]
    assert told[5] == "plan     nothing new since the published version"
    assert told[6].startswith("nothing new as of 2024-03-02")
    assert sorted(refreshed.home.reports.iterdir()) == reports


@pytest.mark.parametrize(
    "what", ["a file", "another as-of day", "another assumption", "another mapping"]
)
def test_what_may_be_new_is_left_to_the_whole_refresh(refreshed: Small, what: str) -> None:
    stated = publisher.load(refreshed.path)
    as_of = None
    # Whatever was noted of a refresh that found nothing new.
    assert idle_refresh(refreshed) is not None
    if what == "a file":
        path = refreshed.add("ad_revenue", bill("2024-03-02", 7))
        try:
            assert refresh.with_nothing_new(refreshed.home, stated, as_of=None, say=print) is None
        finally:
            path.unlink()
        return
    if what == "another as-of day":
        as_of = dt.date(2024, 3, 1)
    elif what == "another assumption":
        stated = replace(stated, assumptions=stated.assumptions[:-1])
    else:
        feeds = {f: replace(c, where="true") for f, c in stated.feeds.items()}
        stated = replace(stated, feeds=feeds)
    reports = sorted(refreshed.home.reports.iterdir())
    told: list[str] = []
    done = refresh.with_nothing_new(refreshed.home, stated, as_of=as_of, say=told.append)
    assert (done, told) == (None, [])
    assert sorted(refreshed.home.reports.iterdir()) == reports


def idle_refresh(small: Small) -> refresh.Refresh | None:
    """What a refresh that may find nothing new comes to, without all that another one needs."""
    stated = publisher.load(small.path)
    return refresh.with_nothing_new(small.home, stated, as_of=None, say=lambda line: None)


def test_what_a_refresh_has_found_nothing_new_in_is_not_read_again(
    refreshed: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert idle_refresh(refreshed) is not None
    monkeypatch.setattr(batches, "committed", None)
    again = idle_refresh(refreshed)
    assert again is not None
    assert (again.verdict, again.as_of_day) == (NOTHING_NEW, dt.date(2024, 3, 2))


def test_what_was_just_published_is_not_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = Small(tmp_path / "small", crashes.FEEDS)
    [first, second] = crashes.deliveries(random.Random(1), 2)  # noqa: S311
    crashes.deliver(small, first)
    monkeypatch.setattr(refresh, "_judged", lambda run, verdict: verdict)
    crashes.refresh_bare(small)
    with monkeypatch.context() as reading:
        reading.setattr(batches, "committed", None)
        again = idle_refresh(small)
    assert again is not None
    assert again.verdict == NOTHING_NEW
    crashes.deliver(small, second)
    assert idle_refresh(small) is None


def test_a_refresh_that_ends_after_midnight_does_not_speak_for_the_next_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Contracts tell of no day on which something happened: the marts stand for the clock's today.
    small = Small(tmp_path / "small", ("subscriptions",))
    small.add("subscriptions", subscription("s1", "liisa", "2024-02-10T00:00:00Z"))
    note = small.home.build / idle.NOTE
    began = dt.datetime(2024, 3, 1, 21, 50)
    monkeypatch.setattr(settings, "utc_now", lambda: began)
    with small.opened() as run:
        refresh.land(run, "subscriptions")
        assert refresh.has_work(run)
        run.verdict = NOTHING_NEW
    assert run.wanted is not None
    monkeypatch.setattr(reports, "last_published_key", lambda home: run.wanted.key)
    monkeypatch.setattr(settings, "utc_now", lambda: began + dt.timedelta(days=1))
    refresh._settle(run)
    assert not note.exists()
    monkeypatch.setattr(settings, "utc_now", lambda: began)
    refresh._settle(run)
    assert note.exists()


def test_a_batch_taken_out_after_nothing_new_is_work(refreshed: Small) -> None:
    assert idle_refresh(refreshed) is not None
    batch = batches.committed(refreshed.home, "ad_revenue")[0]
    folders = (refreshed.home.landing, refreshed.home.discarded)
    place, taken_out = (each / "ad_revenue" / batch.batch_id for each in folders)
    batches.discard(refreshed.home, batch)
    try:
        assert idle_refresh(refreshed) is None
    finally:
        taken_out.rename(place)


def test_a_list_damaged_after_nothing_new_is_told(refreshed: Small) -> None:
    assert idle_refresh(refreshed) is not None
    batch = batches.committed(refreshed.home, "events")[0]
    path = refreshed.home.landing / "events" / batch.batch_id / batches.MANIFEST
    whole = path.read_text("utf-8")
    path.write_text(whole[:-20], encoding="utf-8")
    try:
        with pytest.raises(SystemFailure, match="cannot be read as the manifest of a batch"):
            idle_refresh(refreshed)
    finally:
        path.write_text(whole, encoding="utf-8")


def test_raw_identifiers_are_nowhere_in_the_home(published: Small) -> None:
    small = published
    for path in small.home.root.rglob("*"):
        if path.is_file():
            assert b"liisa@" not in path.read_bytes(), path


def test_a_corrected_bill_changes_only_its_day(published: Small) -> None:
    small = published
    small.add("ad_revenue", bill("2024-03-02", 7))
    assert small.refresh(tests=False).verdict == PUBLISHED
    assert small.rows(
        "select day::varchar, billed_revenue, allocated_revenue from visitor_value_daily "
        "order by day"
    ) == [("2024-03-01", 9, 9), ("2024-03-02", 7, 7)]
    assert small.rows("select sum(visitor_value) from customer_value") == [(16,)]


def test_a_visitor_who_logs_in_later_takes_his_past_along(published: Small) -> None:
    small = published
    small.add(
        "events", page_view("e5", "v2", "2024-03-03T10:00:00Z", account_id="matti@example.fi")
    )
    assert small.refresh(tests=False).verdict == PUBLISHED
    assert small.rows("select kind, visitor_value from customer_value order by visitor_value") == [
        ("account", 6),
        ("account", 8),
    ]
    identified = small.rows(
        "select sum(identified_page_views), sum(stitched_page_views) from identity_coverage"
    )
    assert identified == [(2, 5)]


def test_an_as_of_day_hides_what_came_after_it(small: Small) -> None:
    import datetime as dt

    small.add("payments", payment("p2", "liisa@example.fi", "2024-03-10T00:00:00Z", 10))
    assert small.refresh(tests=False, as_of=dt.date(2024, 3, 1)).verdict == PUBLISHED
    assert small.rows(
        "select sum(economic_past_value), sum(visitor_value) from customer_value"
    ) == [(10, 9)]
    assert small.refresh(tests=False, as_of=dt.date(2024, 3, 31)).verdict == PUBLISHED
    assert small.rows(
        "select sum(economic_past_value), sum(visitor_value) from customer_value"
    ) == [(20, 14)]


def test_once_nobody_pays_mrr_is_zero_and_not_gone(small: Small) -> None:
    gone = subscription("s1", "liisa@example.fi", "2024-02-10T00:00:00Z")
    small.add("subscriptions", {**gone, "ended_at": "2024-03-15T00:00:00Z"})
    small.add("events", page_view("e5", "v2", "2024-05-02T11:00:00Z"))
    assert small.refresh().verdict == PUBLISHED
    assert small.rows(
        "select month::varchar, plan, start_mrr, end_mrr, paying_customers, logo_churn_rate "
        "from mrr_monthly order by all"
    ) == [
        (month, plan, start, end, paying, churned)
        for month, start, end, paying, churned in (
            ("2024-02-01", 0, 10, 1, None),
            ("2024-03-01", 10, 0, 0, 1),
            ("2024-04-01", 0, 0, 0, None),
            ("2024-05-01", 0, 0, 0, None),
        )
        for plan in ("(all plans)", gone["plan"])
    ]
    assert small.rows(
        "select metric, value from metric_values where segment = '(all)' and period = 'month' "
        "and metric in ('mrr', 'paying_subscribers') and period_start = '2024-04-01' order by all"
    ) == [("mrr", 0), ("paying_subscribers", 0)]


def test_what_is_not_configured_is_null_and_never_zero(tmp_path: Path) -> None:
    small = Small(tmp_path / "small", ["payments"])
    small.add("payments", payment("p1", "liisa", "2024-02-10T00:00:00Z", 10))
    assert small.refresh(tests=False).verdict == PUBLISHED
    assert small.rows("select economic_past_value, visitor_value from customer_value") == [
        (10, None)
    ]
    assert small.rows("select active_days_30d, rfv_score, activity_band from engagement") == [
        (None, None, None)
    ]
    assert small.rows("select row_count from data_assets where feed = 'events'") == [(None,)]


def test_every_column_of_every_mart_is_described_in_the_published_file(published: Small) -> None:
    small = published
    assert (
        small.rows(
            "select table_name, column_name from duckdb_columns() "
            "where not internal and coalesce(comment, '') = ''"
        )
        == []
    )
    assert (
        small.rows(
            "select table_name from duckdb_tables() "
            "where not internal and coalesce(comment, '') = ''"
        )
        == []
    )


def test_a_source_that_comes_back_at_a_retry_has_not_failed_the_refresh(
    small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    with small.opened() as run:
        with monkeypatch.context() as broken:
            broken.setattr(landing, "land", _away)
            with pytest.raises(SystemFailure):
                refresh.land(run, "events")
        assert run.verdict == FAILED
        for feed in run.publisher.feeds:
            refresh.land(run, feed)
        refresh.has_work(run)
        planned = refresh.prepare_models(run)
        refresh.gate_in(run)
        build(run, is_full=planned.is_full, tests=False)
        refresh.publish(run)
    assert (run.verdict, run.error, run.reason) == (PUBLISHED, None, "")


def _away(*arguments: object) -> None:
    raise SystemFailure("the share is not mounted.")


def test_readers_cannot_write_to_what_is_published(published: Small) -> None:
    small = published
    with pytest.raises(duckdb.Error):
        small.rows("create table mine (a integer)")


def test_a_closed_month_stays_beside_its_restatement_as_it_was_published(published: Small) -> None:
    small = published
    months = (
        "select month::varchar, economic_past_value, economic_past_value_at_close, "
        "closed_on::varchar from customer_value_monthly where economic_past_value <> 0 or "
        "economic_past_value_at_close <> 0 order by all"
    )
    # As of 2 March February is closed: Liisa paid 10 euros in it.
    assert small.rows(months) == [("2024-02-01", 10, 10, "2024-03-02")]
    # A payment of February comes late, of a customer nobody knew; then Liisa's is taken back.
    small.add("payments", payment("p2", "matti@example.fi", "2024-02-20T00:00:00Z", 5))
    small.refresh(tests=False, accepted="booked late")
    late = [("2024-02-01", 5, 0, "2024-03-02"), ("2024-02-01", 10, 10, "2024-03-02")]
    assert small.rows(months) == late
    small.add("payments", payment("p1", "liisa@example.fi", "2024-02-10T00:00:00Z", 0))
    small.refresh(tests=False, accepted="booked wrongly", is_full=True)
    assert small.rows(months) == [
        ("2024-02-01", 0, 10, "2024-03-02"),
        ("2024-02-01", 5, 0, "2024-03-02"),
    ]
    equity = "select economic_past_value from customer_equity where month = '2024-02-01'"
    assert small.rows(equity) == [(5,)]


def test_a_test_of_the_models_that_lacked_room_is_no_refusal(small: Small) -> None:
    starved = CheckResult(
        stage="model",
        suite="int_sessions",
        check_name="grain_int_sessions",
        severity="critical",
        is_passed=False,
        observed="",
        expected="no failing row",
        reason="",
        offending_keys=(),
        error="Out of Memory Error: failed to allocate data of size 16.0 KiB",
    )
    failed = replace(starved, error=None, offending_keys=("session_id: 1",))
    for results, kind in (((starved,), SystemFailure), ((starved, failed), RefusedError)):
        with small.opened() as run:
            refresh.model_failed(run, results, f"tests failed: {starved.error}")
        assert type(run.error) is kind
        assert ("ARVO_MEMORY_LIMIT" in run.reason) == (kind is SystemFailure)


def test_a_check_that_lacked_room_says_nothing_about_the_data(small: Small) -> None:
    def starved(judge: Judge, home: Home) -> Verdict:
        verdict = judge(home)
        error = "IO Error: Cannot open file: Too many open files"
        first = replace(
            verdict.results[0], is_passed=False, severity="critical", error=error, reason=error
        )
        return Verdict(verdict.stage, (first, *verdict.results[1:]), (error,))

    run = small.refresh(tests=False, judge=starved)
    assert run.verdict == FAILED
    assert "could not be judged: IO Error: Cannot open file: Too many open files" in run.reason
    assert "ulimit -n" in run.reason
