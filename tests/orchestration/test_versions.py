"""Publishing: what a candidate holds, what a commit guarantees, how to go back.

Run as a program, this file is also the processes that the tests kill and the readers that
look on while versions change.
"""

import contextlib
import hashlib
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import duckdb
import pytest

from orchestration import versions
from orchestration.errors import ConfigurationError, RefusedError, SystemFailure

Home = Path


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return tmp_path


# What the tests publish: two marts that must always agree on their generation.


def build_warehouse(path: Path, generation: int = 1, more: str = "") -> Path:
    """A warehouse as dbt leaves it; every mart says which generation it is of."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with duckdb.connect(str(path)) as connection:
        connection.execute("""
            create schema marts;
            create schema staging;
            create table staging.stg_events as select 'private' as visitor_id;
            create table marts.refreshes (refresh_id varchar, verdict varchar);
            create table marts.quality_results (refresh_id varchar, offending_keys varchar[]);
        """)
        connection.execute(
            "create table marts.customers as "
            "select 'c' || i as customer_id, ?::int as generation from range(50) t(i)",
            [generation],
        )
        connection.execute("create table marts.customer_value as from marts.customers")
        if more:
            connection.execute(more)
    return path


def build_candidate(home: Home, generation: int = 1, more: str = "") -> Path:
    candidate = home / "build" / "candidate.duckdb"
    versions.write_candidate(
        build_warehouse(home / "build" / "warehouse.duckdb", generation, more), candidate
    )
    return candidate


def publish(home: Home, refresh_id: str, generation: int = 1, **options: Any) -> versions.Version:
    candidate = build_candidate(home, generation)
    return versions.commit(home / "published", candidate, refresh_id, **options)


def generations(path: Path) -> set[int]:
    """Every generation that a file's marts speak of: one, unless versions are mixed."""
    with duckdb.connect(str(path), read_only=True) as connection:
        rows = connection.execute(
            "select generation from customers union all select generation from customer_value"
        ).fetchall()
    assert len(rows) == 100
    return {generation for (generation,) in rows}


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def in_an_hour() -> float:
    return time.time() + 3600


# The candidate


def test_the_candidate_holds_the_marts_and_nothing_else(home: Home) -> None:
    candidate = build_candidate(home)

    with duckdb.connect(str(candidate), read_only=True) as connection:
        tables = connection.execute(
            "select schema_name, table_name from duckdb_tables() order by 2"
        ).fetchall()

    assert tables == [
        ("main", "customer_value"),
        ("main", "customers"),
        ("main", "quality_results"),
        ("main", "refreshes"),
    ]


def test_a_mart_that_is_a_view_becomes_a_table_with_its_rows(home: Home) -> None:
    candidate = build_candidate(
        home, more="create view marts.recent as select visitor_id from staging.stg_events"
    )

    with duckdb.connect(str(candidate), read_only=True) as connection:
        assert connection.execute("from recent").fetchall() == [("private",)]
        assert connection.execute(
            "select count(*) from duckdb_views() where not internal"
        ).fetchone() == (0,)


def test_table_and_column_comments_are_readable_in_the_published_version(home: Home) -> None:
    candidate = build_candidate(
        home,
        more="""
            comment on table marts.customers is 'One row per customer; it''s pseudonymous.';
            comment on column marts.customers.generation is 'Which build made the row.';
        """,
    )
    version = versions.commit(home / "published", candidate, "r1")

    with duckdb.connect(str(version.path), read_only=True) as connection:
        table = connection.execute(
            "select comment from duckdb_tables() where table_name = 'customers'"
        ).fetchone()
        columns = connection.execute(
            "select column_name, comment from duckdb_columns() "
            "where table_name = 'customers' order by column_index"
        ).fetchall()

    assert table == ("One row per customer; it's pseudonymous.",)
    assert columns == [("customer_id", None), ("generation", "Which build made the row.")]


def test_rows_lie_in_the_order_of_their_columns_however_the_mart_was_built(home: Home) -> None:
    candidate = build_candidate(
        home,
        more="""
            create table marts.mrr (customer_id varchar, month date, mrr decimal(18, 4));
            insert into marts.mrr values
                ('b', '2026-01-01', 5), ('a', '2026-02-01', 7), ('a', '2026-01-01', 9);
        """,
    )

    with duckdb.connect(str(candidate), read_only=True) as connection:
        rows = connection.execute("select customer_id, month::varchar, mrr::int from mrr")
        assert rows.fetchall() == [
            ("a", "2026-01-01", 9),
            ("a", "2026-02-01", 7),
            ("b", "2026-01-01", 5),
        ]


def test_clients_as_old_as_duckdb_1_3_can_open_what_is_published(home: Home) -> None:
    candidate = build_candidate(home)
    versions.append_operations(candidate, [{"refresh_id": "r1", "verdict": "published"}], [])
    version = versions.commit(home / "published", candidate, "r1")

    # Storage version numbers: 64 is v1.0, 65 is v1.2, 67 is v1.4, 68 is v1.5.
    assert version.path.read_bytes()[12:14] == bytes([65, 0])


def test_the_candidate_has_no_unused_blocks(home: Home) -> None:
    candidate = build_candidate(
        home,
        more="create table marts.big as select sha256(i::varchar) as id from range(60000) t(i)",
    )

    with duckdb.connect(str(candidate), read_only=True) as connection:
        row = connection.execute(
            "select free_blocks, total_blocks > 1 from pragma_database_size()"
        ).fetchone()
    assert row == (0, True)


def test_only_the_named_marts_are_copied(home: Home) -> None:
    warehouse = build_warehouse(home / "warehouse.duckdb", more="create table marts.old (i int)")
    candidate = home / "candidate.duckdb"

    versions.write_candidate(warehouse, candidate, marts=["customers", "refreshes"])

    assert set(versions.fingerprint(candidate)) == {"customers", "refreshes"}


def test_a_missing_mart_is_refused_by_name_and_an_older_candidate_is_gone(home: Home) -> None:
    candidate = build_candidate(home)

    with pytest.raises(RefusedError, match="no churn_risk, retention,"):
        versions.write_candidate(
            home / "build" / "warehouse.duckdb",
            candidate,
            marts=["retention", "customers", "churn_risk"],
        )

    assert names(home / "build") == {"warehouse.duckdb"}


def test_a_warehouse_without_marts_is_refused(home: Home) -> None:
    duckdb.connect(str(home / "warehouse.duckdb")).close()

    with pytest.raises(RefusedError, match="no mart at all"):
        versions.write_candidate(home / "warehouse.duckdb", home / "candidate.duckdb")


def test_a_copy_that_fails_half_way_leaves_no_candidate(home: Home) -> None:
    candidate = build_candidate(home)

    # `zero` comes after the other marts and fails when its rows are read.
    with pytest.raises(SystemFailure, match="Could not convert string 'none'"):
        build_candidate(home, more="create view marts.zero as select 'none'::int as i")

    assert not candidate.exists()
    assert names(home / "build") == {"warehouse.duckdb"}


def test_a_missing_warehouse_is_named(home: Home) -> None:
    with pytest.raises(SystemFailure, match=r"warehouse\.duckdb does not exist"):
        versions.write_candidate(home / "warehouse.duckdb", home / "candidate.duckdb")


def test_what_a_killed_build_left_behind_never_reaches_the_next_candidate(home: Home) -> None:
    build = home / "build"
    expected = versions.fingerprint(build_candidate(home))
    # A process that dies with rows in its write-ahead log, on the candidate and on the
    # half-written file.
    for name in ("candidate.duckdb", "candidate.duckdb.partial"):
        script = (
            "import duckdb, os\n"
            f"connection = duckdb.connect({str(build / name)!r})\n"
            "connection.execute('create table stray as select 1 as i')\n"
            "os._exit(1)"
        )
        subprocess.run([sys.executable, "-c", script], check=False, timeout=30)
        assert (build / f"{name}.wal").exists()

    candidate = build_candidate(home)

    assert versions.fingerprint(candidate) == expected
    assert names(build) == {"warehouse.duckdb", "candidate.duckdb"}


# The refresh's own rows


def test_the_refreshs_own_rows_are_added_once_however_often_they_are_appended(
    home: Home,
) -> None:
    candidate = build_candidate(home, more="insert into marts.refreshes values ('r0', 'refused')")
    results = [
        {"offending_keys": ("c1", "c2"), "refresh_id": "r1"},
        {"offending_keys": (), "refresh_id": "r1"},
    ]

    for verdict in ("failed", "published"):
        versions.append_operations(candidate, [{"refresh_id": "r1", "verdict": verdict}], results)

    with duckdb.connect(str(candidate), read_only=True) as connection:
        assert connection.execute("from refreshes order by refresh_id").fetchall() == [
            ("r0", "refused"),
            ("r1", "published"),
        ]
        assert connection.execute("select offending_keys from quality_results").fetchall() == [
            (["c1", "c2"],),
            ([],),
        ]


def test_a_row_whose_columns_are_not_the_marts_is_an_error_and_adds_nothing(
    home: Home,
) -> None:
    candidate = build_candidate(home)
    before = versions.fingerprint(candidate)

    with pytest.raises(SystemFailure, match="columns refresh_id, verdict, the refresh has"):
        versions.append_operations(candidate, [{"refresh_id": "r1", "outcome": "good"}], [])

    assert versions.fingerprint(candidate) == before


def test_rows_for_a_candidate_that_is_not_there_make_no_file(home: Home) -> None:
    with pytest.raises(SystemFailure, match="does not exist"):
        versions.append_operations(home / "candidate.duckdb", [], [])

    assert names(home) == set()


# Fingerprints


def test_a_fingerprint_sees_every_difference_but_the_order_of_rows(home: Home) -> None:
    def fingerprint(rows: str, columns: str = "a, b") -> tuple[int, str]:
        path = home / "any.duckdb"
        path.unlink(missing_ok=True)
        with duckdb.connect(str(path)) as connection:
            connection.execute(f"create table t as from (values {rows}) v({columns})")
        return versions.fingerprint(path)["t"]

    one = fingerprint("(1, 2), (3, null)")

    assert fingerprint("(3, null), (1, 2)") == one
    assert one[0] == 2
    others = [
        fingerprint("(1, 2), (3, 4)"),
        fingerprint("(2, 1), (3, null)"),
        fingerprint("(1, 2), (null, 3)"),
        fingerprint("(1, 2), (3, null)", "a, c"),
        fingerprint("(1::bigint, 2), (3, null)"),
        # A pair of equal rows must not cancel out.
        fingerprint("(1, 2), (3, null), (5, 5), (5, 5)"),
    ]
    assert one not in others
    assert len(set(others)) == len(others)


def test_a_fingerprint_can_leave_out_the_marts_that_differ_by_refresh(home: Home) -> None:
    candidate = build_candidate(home)
    before = versions.fingerprint(candidate, without=versions.OPERATIONS)

    versions.append_operations(candidate, [{"refresh_id": "r1", "verdict": "published"}], [])

    assert set(before) == {"customers", "customer_value"}
    assert versions.fingerprint(candidate, without=versions.OPERATIONS) == before
    assert versions.fingerprint(candidate)["refreshes"][0] == 1


# Commit


def test_a_commit_leaves_one_read_only_file_and_a_link_to_it(home: Home) -> None:
    version = publish(home, "20260301T0400-ab12")

    assert names(home / "published") == {
        "marts.duckdb",
        "marts-000001-20260301T0400-ab12.duckdb",
    }
    assert (home / "published" / "marts.duckdb").readlink() == Path(version.path.name)
    assert stat.S_IMODE(version.path.stat().st_mode) == 0o444
    assert names(home / "build") == {"warehouse.duckdb"}
    assert version == versions.current(home / "published")
    assert (version.sequence, version.refresh_id, version.is_current) == (
        1,
        "20260301T0400-ab12",
        True,
    )
    assert abs(version.published_at.timestamp() - time.time()) < 60


def test_a_home_that_was_moved_still_serves_its_current_version(tmp_path: Path) -> None:
    publish(tmp_path / "var", "r1", generation=4)

    (tmp_path / "var").rename(tmp_path / "elsewhere")

    assert generations(tmp_path / "elsewhere" / "published" / "marts.duckdb") == {4}


def test_within_one_process_an_open_reader_keeps_his_version_and_a_new_one_gets_the_new(
    home: Home,
) -> None:
    publish(home, "r1", generation=1)
    link = home / "published" / "marts.duckdb"
    with duckdb.connect(str(link), read_only=True) as reader:
        publish(home, "r2", generation=2, keep=2, grace_seconds=0)
        publish(home, "r3", generation=3, keep=2, grace_seconds=0)

        assert generations(link) == {3}
        assert "marts-000001-r1.duckdb" not in names(home / "published")
        assert reader.execute("select distinct generation from customers").fetchall() == [(1,)]


def test_a_version_that_reads_back_differently_is_never_current(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(home, "r1", generation=1)
    other = build_candidate(home / "other", generation=9)
    move_in = versions._move_in

    def move_in_on_a_failing_disk(candidate: Path, path: Path) -> None:
        move_in(candidate, path)
        path.unlink()
        shutil.copy(other, path)

    monkeypatch.setattr(versions, "_move_in", move_in_on_a_failing_disk)
    with pytest.raises(SystemFailure, match="differs from what was written"):
        publish(home, "r2", generation=2)

    assert versions.current(home / "published").refresh_id == "r1"
    assert [version.refresh_id for version in versions.versions(home / "published")] == ["r1"]


def test_a_file_in_a_storage_version_that_older_clients_cannot_open_is_not_published(
    home: Home,
) -> None:
    candidate = home / "candidate.duckdb"
    with duckdb.connect(str(candidate)) as connection:
        connection.execute("create table customers as select 1 as customer_id")

    with pytest.raises(SystemFailure, match="not 65"):
        versions.commit(home / "published", candidate, "r1")

    assert names(home / "published") == set()


def test_a_candidate_without_a_table_is_not_published(home: Home) -> None:
    candidate = home / "candidate.duckdb"
    duckdb.connect(str(candidate)).close()

    with pytest.raises(SystemFailure, match="holds no table"):
        versions.commit(home / "published", candidate, "r1")

    assert names(home / "published") == set()


def test_a_candidate_that_is_not_there_leaves_the_current_version(home: Home) -> None:
    publish(home, "r1")

    with pytest.raises(SystemFailure, match=r"candidate\.duckdb does not exist"):
        versions.commit(home / "published", home / "build" / "candidate.duckdb", "r2")

    assert versions.current(home / "published").refresh_id == "r1"


def test_a_refresh_id_that_would_leave_the_folder_is_an_error(home: Home) -> None:
    with pytest.raises(ValueError, match="cannot be part of a file name"):
        versions.commit(home / "published", build_candidate(home), "../r1")


def test_a_commit_killed_at_any_step_leaves_a_whole_version_and_the_next_one_converges(
    home: Home,
) -> None:
    outcome = run_myself("kill-at-every-step", home, seconds=60)

    assert outcome["problems"] == []
    assert set(outcome["seen"]) == {"2", "3"}
    # Cut off with: nothing done, the earlier leftover's file gone, its mark gone, the
    # candidate read-only, the new mark set, the file moved in, the link swapped, one pruned.
    assert outcome["states"] >= 8
    assert outcome["kills"] > 80


def test_readers_of_15_publishes_meet_no_error_and_no_mixed_version(home: Home) -> None:
    publish(home, "r0", generation=0)
    with readers(home, count=3) as outcomes:
        for number in range(1, 16):
            publish(home, f"r{number}", generation=number, keep=2)

    assert [outcome["problems"] for outcome in outcomes] == [[], [], []]
    # How many of the versions a reader gets to see depends on what else the machine does.
    assert all(len(outcome["seen"]) > 2 for outcome in outcomes)
    assert all(outcome["seen"] == sorted(outcome["seen"]) for outcome in outcomes)
    assert versions.current(home / "published").refresh_id == "r15"


# Pruning


def test_the_last_versions_by_order_of_publishing_are_kept_whatever_their_names(
    home: Home,
) -> None:
    for refresh_id in ("d", "c", "b", "a"):
        publish(home, refresh_id, keep=2, grace_seconds=0)

    kept = versions.versions(home / "published")
    assert [(version.sequence, version.refresh_id) for version in kept] == [(3, "b"), (4, "a")]


def test_the_two_newest_versions_stay_even_when_none_is_to_be_kept(home: Home) -> None:
    for refresh_id in ("r1", "r2", "r3"):
        publish(home, refresh_id, keep=0, grace_seconds=0)

    kept = [version.refresh_id for version in versions.versions(home / "published")]
    assert kept == ["r2", "r3"]


def test_a_version_within_its_grace_period_is_kept_beyond_the_number(home: Home) -> None:
    for refresh_id in ("r1", "r2", "r3"):
        publish(home, refresh_id, keep=2, grace_seconds=3000)
    assert len(versions.versions(home / "published")) == 3

    publish(home, "r4", keep=2, grace_seconds=3000, clock=in_an_hour)

    kept = [version.refresh_id for version in versions.versions(home / "published")]
    assert kept == ["r3", "r4"]


def test_the_current_version_is_never_pruned_however_old(home: Home) -> None:
    for refresh_id in ("r1", "r2", "r3", "r4"):
        publish(home, refresh_id)
    versions.roll_back(home / "published", "r1")

    versions._prune(home / "published", keep=2, grace_seconds=0, now=in_an_hour())

    kept = [version.refresh_id for version in versions.versions(home / "published")]
    assert kept == ["r1", "r3", "r4"]


def test_the_grace_of_a_version_starts_when_another_takes_its_place(home: Home) -> None:
    for refresh_id in ("r1", "r2", "r3"):
        publish(home, refresh_id)
    versions.roll_back(home / "published", "r1")
    # Older than the grace period, but readers follow the link to r1 until this very commit.
    time.sleep(2.1)
    publish(home, "r4", keep=2, grace_seconds=2)

    kept = [version.refresh_id for version in versions.versions(home / "published")]
    assert kept == ["r1", "r3", "r4"]


def test_sequences_go_on_after_a_rollback_so_that_the_next_version_is_the_newest(
    home: Home,
) -> None:
    for refresh_id in ("r1", "r2"):
        publish(home, refresh_id)
    versions.roll_back(home / "published")

    assert publish(home, "r3").sequence == 3


def test_a_clock_that_was_set_back_starts_the_grace_of_a_version_anew(home: Home) -> None:
    for refresh_id in ("r1", "r2", "r3"):
        publish(home, refresh_id, keep=2, grace_seconds=3000)
    published = home / "published"

    # An hour ago, as the clock now says, r1 had not even been published.
    versions._prune(published, keep=2, grace_seconds=3000, now=time.time() - 3600)
    assert len(versions.versions(published)) == 3

    versions._prune(published, keep=2, grace_seconds=3000, now=in_an_hour())
    assert [version.refresh_id for version in versions.versions(published)] == ["r2", "r3"]


# A disk that refuses


def syncs_that_fail(monkeypatch: pytest.MonkeyPatch, *numbers: int) -> None:
    """Makes the n-th folders or files that a commit syncs fail to reach the disk."""
    flush = versions._flush
    count = 0

    def full(path: Path) -> None:
        nonlocal count
        count += 1
        if count in numbers:
            raise OSError(28, "No space left on device")
        flush(path)

    monkeypatch.setattr(versions, "_flush", full)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_commit_that_finds_no_room_leaves_the_version_before_and_takes_no_room(
    home: Home, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    publish(home, "r1")
    before = names(home / "published")
    with monkeypatch.context() as patch:
        syncs_that_fail(patch, number)
        with pytest.raises(SystemFailure, match="Publishing refresh r2 .* No space left"):
            publish(home, "r2")

    assert names(home / "published") == before
    assert versions.current(home / "published").refresh_id == "r1"


def test_what_cannot_be_synced_after_the_swap_is_published_all_the_same(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(home, "r1", generation=1)
    syncs_that_fail(monkeypatch, 4)

    assert publish(home, "r2", generation=2).refresh_id == "r2"
    assert generations(home / "published" / "marts.duckdb") == {2}


# Rollback


def test_a_rollback_serves_the_version_before_and_naming_the_newer_goes_forward_again(
    home: Home,
) -> None:
    published = home / "published"
    for number in (1, 2, 3):
        publish(home, f"r{number}", generation=number)
    files = names(published)

    back = versions.roll_back(published)
    assert (back.refresh_id, back.is_current) == ("r2", True)
    assert generations(published / "marts.duckdb") == {2}
    assert versions.roll_back(published).refresh_id == "r1"

    forward = versions.roll_back(published, "r3")
    assert (forward.refresh_id, generations(published / "marts.duckdb")) == ("r3", {3})
    assert names(published) == files


def test_a_refresh_published_twice_is_returned_to_by_its_newest_version(home: Home) -> None:
    for refresh_id, generation in (("r1", 1), ("r1", 2), ("r2", 3)):
        publish(home, refresh_id, generation=generation)

    assert versions.roll_back(home / "published", "r1").sequence == 2


def test_an_unknown_refresh_is_an_error_that_lists_what_is_there(home: Home) -> None:
    for refresh_id in ("r1", "r2"):
        publish(home, refresh_id)

    with pytest.raises(ConfigurationError, match=r"'r7'.*newest first: r2 \(.*\), r1 \("):
        versions.roll_back(home / "published", "r7")

    assert versions.current(home / "published").refresh_id == "r2"


def test_there_is_no_way_back_from_the_first_version(home: Home) -> None:
    publish(home, "r1")

    with pytest.raises(ConfigurationError, match=r"no version before the current one \(r1\)"):
        versions.roll_back(home / "published")


def test_a_version_that_cannot_be_opened_is_not_returned_to(home: Home) -> None:
    damaged = publish(home, "r1").path
    publish(home, "r2")
    damaged.chmod(0o644)
    damaged.write_bytes(b"no database" * 1000)

    with pytest.raises(SystemFailure, match="Returning to .*r1.duckdb failed"):
        versions.roll_back(home / "published")

    assert versions.current(home / "published").refresh_id == "r2"


def test_a_version_whose_commit_was_cut_short_is_not_there_to_return_to(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(home, "r1")
    with monkeypatch.context() as patch:
        patch.setattr(versions, "_verify", lambda path, content: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            publish(home, "r2")
    assert "marts-000002-r2.duckdb" in names(home / "published")

    with pytest.raises(ConfigurationError, match="No published version comes from"):
        versions.roll_back(home / "published", "r2")
    publish(home, "r3")

    assert names(home / "published") == {
        "marts.duckdb",
        "marts-000001-r1.duckdb",
        "marts-000002-r3.duckdb",
    }


# Homes that are not in order


def test_nothing_published_yet_says_how_to_publish(home: Home) -> None:
    for ask in (versions.current, versions.roll_back):
        with pytest.raises(versions.NothingPublishedError, match="run `arvo refresh`"):
            ask(home / "published")
    assert versions.versions(home / "published") == []


def test_a_link_whose_version_is_gone_says_what_is_still_there_and_can_be_repaired(
    home: Home,
) -> None:
    published = home / "published"
    for refresh_id in ("r1", "r2"):
        publish(home, refresh_id)
    (published / "marts-000002-r2.duckdb").unlink()

    with pytest.raises(SystemFailure, match=r"points to marts-000002-r2\.duckdb.*: r1 \("):
        versions.current(published)

    assert versions.roll_back(published).refresh_id == "r1"
    assert generations(published / "marts.duckdb") == {1}


def test_a_link_that_is_gone_is_named_with_the_versions_that_are_left(home: Home) -> None:
    published = home / "published"
    publish(home, "r1")
    (published / "marts.duckdb").unlink()

    with pytest.raises(SystemFailure, match=r"marts\.duckdb is missing.*: r1 \("):
        versions.current(published)
    with pytest.raises(ConfigurationError, match="name the refresh to return to"):
        versions.roll_back(published)

    assert versions.roll_back(published, "r1").is_current


def test_a_copy_in_the_links_place_is_named_and_replaced_by_the_next_version(
    home: Home,
) -> None:
    published = home / "published"
    version = publish(home, "r1")
    (published / "marts.duckdb").unlink()
    shutil.copy(version.path, published / "marts.duckdb")

    with pytest.raises(SystemFailure, match="is a file of its own"):
        versions.current(published)

    assert publish(home, "r2") == versions.current(published)


# The other processes


def run_myself(role: str, home: Home, seconds: float) -> dict[str, Any]:
    with start_myself(role, home) as process:
        output, _ = process.communicate(timeout=seconds)
    assert process.returncode == 0, output
    outcome: dict[str, Any] = json.loads(output)
    return outcome


def start_myself(role: str, home: Home) -> "subprocess.Popen[str]":
    root = str(Path(versions.__file__).parents[1])
    return subprocess.Popen(
        [sys.executable, __file__, role, str(home)],
        env={**os.environ, "PYTHONPATH": root},
        stdout=subprocess.PIPE,
        text=True,
    )


@contextlib.contextmanager
def readers(home: Home, count: int) -> Iterator[list[dict[str, Any]]]:
    """Readers that poll until the block ends; then their outcomes are in the list."""
    outcomes: list[dict[str, Any]] = []
    processes = [start_myself("read", home) for _ in range(count)]
    try:
        wait_for(lambda: len(list(home.glob("reading-*"))) == count)
        yield outcomes
        (home / "stop").touch()
        for process in processes:
            output, _ = process.communicate(timeout=30)
            outcomes.append(json.loads(output))
    finally:
        for process in processes:
            process.kill()
            process.wait(timeout=30)


def wait_for(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the other processes did not start"
        time.sleep(0.02)


def read_until_stopped(home: Home) -> dict[str, Any]:
    """Open the link again and again; half of the times resolve it first, then dawdle."""
    link = home / "published" / "marts.duckdb"
    problems: list[str] = []
    seen: list[int] = []
    deadline = time.monotonic() + 60
    count = 0
    while not (home / "stop").exists() and time.monotonic() < deadline:
        count += 1
        try:
            path = link
            if count % 2:
                path = link.resolve(strict=True)
                time.sleep(0.05)
            found = generations(path)
        except (duckdb.Error, OSError, AssertionError) as error:
            problems.append(repr(error))
            continue
        if len(found) != 1:
            problems.append(f"mixed: {found}")
        if path is link and seen[-1:] != list(found):
            seen.extend(found)
        (home / f"reading-{os.getpid()}").touch()
    return {"seen": seen, "problems": problems}


def kill_at_every_step(home: Home) -> dict[str, Any]:
    """Commit in a child that is killed before its n-th step, for every n.

    After each kill a reader must find generation 2 or 3, whole, and running the refresh
    again must leave generation 3 current with two versions and nothing else.
    """
    template = home / "template"
    in_a_child(partial(prepare, template))
    seen: dict[str, int] = {}
    problems: list[str] = []
    states: set[str] = set()
    kills = 0
    while True:
        scene = home / "scene"
        shutil.copytree(template, scene, symlinks=True)
        status = in_a_child(partial(commit_killed_at, scene, kills + 1))
        was_killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        if not was_killed and status != 0:
            problems.append(f"step {kills + 1}: the commit itself failed")
        state = digest(scene)
        # Equal files give an equal outcome; each state needs to be judged once.
        if state not in states:
            states.add(state)
            for check in (judge_after_kill, judge_after_rerun):
                if in_a_child(partial(check, scene)):
                    problems.append(f"step {kills + 1}: {check.__name__}")
            generation = (scene / "seen").read_text()
            seen[generation] = seen.get(generation, 0) + 1
        shutil.rmtree(scene)
        if not was_killed:
            return {"kills": kills, "states": len(states), "seen": seen, "problems": problems}
        kills += 1


def in_a_child(action: Callable[[], None]) -> int:
    """Run an action in a forked child; its wait status (0 when it went well)."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            action()
            code = 0
        finally:
            os._exit(code)
    return os.waitpid(child, 0)[1]


def prepare(home: Home) -> None:
    """Two versions, one of which the next commit prunes, what a killed commit left, a candidate."""
    publish(home, "r1", generation=1)
    publish(home, "r2", generation=2)
    versions._move_in(
        build_candidate(home, generation=7), home / "published" / "marts-000003-r7.duckdb"
    )
    build_candidate(home, generation=3)


def commit_killed_at(home: Home, number: int) -> None:
    """Commit until the n-th step that changes the disk.

    Those are the calls to the operating system, and the lines of the one step that DuckDB
    writes in.
    """
    count = 0

    def step() -> None:
        nonlocal count
        count += 1
        if count == number:
            os.kill(os.getpid(), signal.SIGKILL)

    def on_call(_: FrameType, event: str, argument: Any) -> None:
        if event == "c_call" and argument.__module__ == os.unlink.__module__:
            step()

    def on_line(frame: FrameType, event: str, _: Any) -> Any:
        if frame.f_code is not versions._settle.__code__:
            return None
        if event == "line":
            step()
        return on_line

    sys.settrace(on_line)
    sys.setprofile(on_call)
    try:
        versions.commit(
            home / "published",
            home / "build" / "candidate.duckdb",
            "r3",
            keep=2,
            grace_seconds=0,
        )
    finally:
        sys.setprofile(None)
        sys.settrace(None)


def judge_after_kill(home: Home) -> None:
    published = home / "published"
    found = generations(published / "marts.duckdb")
    (home / "seen").write_text("+".join(map(str, sorted(found))))
    assert found in ({2}, {3})
    current = versions.current(published)
    assert current.refresh_id == f"r{found.pop()}"
    listed = [version.refresh_id for version in versions.versions(published)]
    assert listed[-1] == current.refresh_id, "a version that was never current is listed"


def judge_after_rerun(home: Home) -> None:
    published = home / "published"
    publish(home, "r3", generation=3, keep=2, grace_seconds=0)
    assert generations(published / "marts.duckdb") == {3}
    files = {version.path.name for version in versions.versions(published)}
    assert len(files) == 2
    assert names(published) == files | {"marts.duckdb"}
    assert names(home / "build") == {"warehouse.duckdb"}


def digest(home: Home) -> str:
    """Everything on the disk: names, modes, links and contents."""
    parts = hashlib.sha256()
    for path in sorted(home.rglob("*")):
        parts.update(f"{path.relative_to(home)} {path.lstat().st_mode:o} ".encode())
        if path.is_symlink():
            parts.update(str(path.readlink()).encode())
        elif path.is_file():
            parts.update(path.read_bytes())
    return parts.hexdigest()


if __name__ == "__main__":
    roles = {"kill-at-every-step": kill_at_every_step, "read": read_until_stopped}
    sys.stdout.write(json.dumps(roles[sys.argv[1]](Path(sys.argv[2]))))
