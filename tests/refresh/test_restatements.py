"""A late file arrives: what readers had before is told beside what stands now, value by value."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

import pytest

from tests.refresh.small import Small, page_view, subscription

COLUMNS = "metric, period, period_start, segment_type, segment"
Key = tuple[Any, ...]


@pytest.fixture(scope="module")
def late(tmp_path_factory: pytest.TempPathFactory) -> Small:
    """February and March as published by 2 April, then a contract of 10 February, told late."""
    small = Small(tmp_path_factory.mktemp("late"), ["events", "subscriptions"])
    small.add("subscriptions", subscription("s1", "liisa", "2024-02-01T10:00:00Z"))
    small.add("events", *_reads("2024-02-10", "2024-03-10", "2024-04-02"))
    assert small.refresh().verdict == "published"
    return small


def _reads(*days: str) -> list[Mapping[str, Any]]:
    return [page_view(f"{day} {n}", "v", f"{day}T1{n}:00:00Z") for day in days for n in range(3)]


def _values(small: Small, condition: str) -> dict[Key, tuple[Any, ...]]:
    rows = small.rows(f"select {COLUMNS}, numerator, denominator from metric_values {condition}")
    return {row[:5]: row[5:] for row in rows}


def test_a_late_contract_restates_the_closed_months_it_was_running_in(late: Small) -> None:
    assert late.rows("select count(*) from restatements") == [(0,)]
    path = late.add("subscriptions", subscription("s2", "matti", "2024-02-10T10:00:00Z", plan="w"))
    # Twice the revenue of closed months: the gate would ask whether that is true.
    assert late.refresh(accepted="a contract from the shop").verdict == "published"
    # By hand: 10 euros a month more from February on. April was still running, and so the second
    # quarter and the year: they went on. The plan w had no row before.
    assert late.rows(
        "select period, period_start::varchar, segment, previous_value, value, change "
        "from restatements where metric = 'mrr' order by all"
    ) == [
        ("month", "2024-02-01", "(all)", 10, 20, 10),
        ("month", "2024-02-01", "w", None, 10, None),
        ("month", "2024-03-01", "(all)", 10, 20, 10),
        ("month", "2024-03-01", "w", None, 10, None),
        ("quarter", "2024-01-01", "(all)", 10, 20, 10),
        ("quarter", "2024-01-01", "w", None, 10, None),
    ]
    # The file's rows are of February; March is restated by them all the same.
    assert late.rows(
        "select distinct period, period_start::varchar, cause, files from restatements "
        "where metric = 'mrr' order by all"
    ) == [
        ("month", "2024-02-01", "rows of the period", f"subscriptions/{path.name}"),
        ("month", "2024-03-01", "rows of other days", f"subscriptions/{path.name}"),
        ("quarter", "2024-01-01", "rows of the period", f"subscriptions/{path.name}"),
    ]


def test_restatements_are_exactly_the_values_that_changed_and_stay_for_later_versions(
    late: Small,
) -> None:
    before = _values(late, "where is_complete")
    told = set(late.rows(f"select refresh_id, {COLUMNS} from restatements"))
    late.add("events", page_view("late", "v", "2024-03-10T20:00:00Z"))
    run = late.refresh()
    assert run.verdict == "published"
    after = _values(late, "where period_end <= date '2024-04-02'")
    metrics = {key[0] for key in before}
    changed = {
        key
        for key in before.keys() | after.keys()
        if before.get(key) != after.get(key) and key[0] in metrics
    }
    now = set(late.rows(f"select refresh_id, {COLUMNS} from restatements"))
    assert now - told == {(run.refresh_id, *key) for key in changed}
    assert told <= now


def test_a_new_day_restates_nothing_of_what_was_over(late: Small) -> None:
    before = late.rows("select count(*) from restatements")
    late.add("events", *_reads("2024-04-03"))
    assert late.refresh().verdict == "published"
    restated = late.rows(
        "select metric, period, period_start::varchar from restatements "
        "where as_of_day = date '2024-04-03'"
    )
    assert restated == [], restated
    assert late.rows("select count(*) from restatements") == before


def test_an_earlier_as_of_day_restates_only_what_is_over_by_then(late: Small) -> None:
    before = late.rows("select count(*) from restatements")
    late.add("events", page_view("later still", "v", "2024-02-10T20:00:00Z"))
    assert late.refresh(as_of=dt.date(2024, 3, 20), tests=False).verdict == "published"
    # Three page views of 10 February were published, and one came late. March and the quarter were
    # over by 3 April; by 20 March they are not, and their values then are no news about them.
    assert late.rows(
        "select period, period_start::varchar, segment, previous_value, value from restatements "
        "where as_of_day = date '2024-03-20' and metric = 'page_views' order by all"
    ) == [
        (period, start, segment, 3, 4)
        for period, start in (
            ("day", "2024-02-10"),
            ("month", "2024-02-01"),
            ("week", "2024-02-05"),
        )
        for segment in ("(all)", "mobile")
    ]
    assert late.rows(
        "select max(period_end) from restatements where as_of_day = date '2024-03-20'"
    ) == [(dt.date(2024, 2, 29),)]
    # What refreshes of later days told stays told.
    assert (
        late.rows("select count(*) from restatements where as_of_day > date '2024-03-20'") == before
    )
