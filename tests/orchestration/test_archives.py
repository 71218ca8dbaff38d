"""Many small batches share a folder, and nobody who lists batches or reads rows can tell."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from orchestration import archives, batches, warehouse
from orchestration.batches import Manifest
from orchestration.contracts import contracts
from tests.orchestration.test_landing import PAYMENT, Site

EVENTS = {"event_type": "'page_view'"}
COUNT = 5


class Killed(BaseException):
    """Stands for a kill: nothing of ours catches it."""


class Hourly:
    """Five small batches of a feed, each with a row that is good and one that is bad."""

    def __init__(self, folder: Path, feed: str) -> None:
        """All have landed."""
        self.site, self.feed = Site(folder), feed
        self.home = self.site.home
        for hour in range(COUNT):
            if feed == "events":
                at = f"2024-05-0{1 + hour % 2} 1{hour}:00:00"
                text = f"event_id,occurred_at,visitor_id\ne{hour},{at},v\nbad{hour},never,v\n"
            else:
                text = "payment_id,account_id,paid_at,amount\n"
                text += f"p{hour},a,2024-05-01 1{hour}:00:00,5\nbad{hour},a,never,5\n"
            self.site.write(f"{hour}.csv", text, hours=hour)
        columns = EVENTS if feed == "events" else PAYMENT
        self.stated = {"columns": columns, "tolerated_bad_share": 0.5}
        self.site.land(feed, "*.csv", **self.stated)

    def batches(self) -> list[Manifest]:
        """What a refresh would list, wherever the rows lie."""
        return batches.committed(self.home, self.feed)

    def told(self) -> list[dict[str, Any]]:
        """The manifests without where their rows lie."""
        return [{**m.stated(), "parts": None} for m in self.batches()]

    def rows(self, manifests: list[Manifest] | None = None) -> list[tuple[Any, ...]]:
        """Every column of every landed row, with the batch it came with."""
        chosen = self.batches() if manifests is None else manifests
        query = warehouse.feed_sql(contracts()[self.feed], self.home, chosen)
        return sorted(duckdb.sql(f"from ({query})").fetchall(), key=str)

    def bad(self) -> list[tuple[Any, ...]]:
        """Every quarantined row, with the batch it came with."""
        query = batches.quarantine_sql(self.home, self.batches())
        return sorted(duckdb.sql(f"from ({query})").fetchall(), key=str)

    def folders(self) -> int:
        """Folders of the feed in landing."""
        return sum(1 for _ in (self.home.landing / self.feed).iterdir())


@pytest.fixture(params=["events", "payments"])
def hourly(tmp_path: Path, request: pytest.FixtureRequest) -> Hourly:
    return Hourly(tmp_path, request.param)


def test_an_archive_changes_neither_the_batches_nor_their_rows(hourly: Hourly) -> None:
    before = hourly.told(), hourly.rows(), hourly.bad()
    assert [len(each) for each in before] == [COUNT, COUNT, COUNT]
    assert archives.archive_small(hourly.home, hourly.feed, at_once=COUNT)
    assert (hourly.told(), hourly.rows(), hourly.bad()) == before
    assert hourly.folders() == 1
    assert list((hourly.home.quarantine / hourly.feed).iterdir()) == []


def test_what_is_archived_does_not_land_again(hourly: Hourly) -> None:
    archives.archive_small(hourly.home, hourly.feed, at_once=COUNT)
    assert hourly.site.land(hourly.feed, "*.csv", **hourly.stated).new == ()


def test_few_batches_are_left_alone(hourly: Hourly) -> None:
    assert archives.archive_small(hourly.home, hourly.feed, at_once=COUNT + 1) is None
    assert hourly.folders() == COUNT


def test_later_batches_make_an_archive_of_their_own(hourly: Hourly) -> None:
    archives.archive_small(hourly.home, hourly.feed, at_once=COUNT)
    for name in ("8.csv", "9.csv"):
        text = (hourly.site.folder / "0.csv").read_text()
        hourly.site.write(name, text.replace("e0,", f"{name},").replace("p0,", f"{name},"))
    hourly.site.land(hourly.feed, "*.csv", **hourly.stated)
    before = hourly.told(), hourly.rows(), hourly.bad()
    assert archives.archive_small(hourly.home, hourly.feed, at_once=2)
    assert (hourly.told(), hourly.rows(), hourly.bad()) == before
    assert (len(before[0]), hourly.folders()) == (COUNT + 2, 2)


def test_one_batch_can_be_taken_out_of_an_archive(hourly: Hourly) -> None:
    archives.archive_small(hourly.home, hourly.feed, at_once=COUNT)
    rows, bad = hourly.rows(), hourly.bad()
    out = hourly.batches()[2]
    archives.discard(hourly.home, batches.find(hourly.home, out.batch_id[:12]))
    assert out.batch_id not in [m.batch_id for m in hourly.batches()]
    assert hourly.rows() == [row for row in rows if out.batch_id not in row]
    assert hourly.bad() == [row for row in bad if out.batch_id not in row]
    assert [m.batch_id for m in batches.discarded(hourly.home, hourly.feed)] == [out.batch_id]
    kept = hourly.home.discarded / hourly.feed / out.batch_id
    assert [path.suffix for path in kept.rglob("*.parquet")] == [".parquet"]
    assert (hourly.home.quarantine / hourly.feed / f"{out.batch_id}.parquet").exists()
    assert hourly.site.land(hourly.feed, "*.csv", **hourly.stated).new == ()


def test_the_last_batch_of_an_archive_takes_it_along(hourly: Hourly) -> None:
    archives.archive_small(hourly.home, hourly.feed, at_once=COUNT)
    for manifest in hourly.batches():
        archives.discard(hourly.home, batches.find(hourly.home, manifest.batch_id))
    assert (hourly.batches(), hourly.folders()) == ([], 0)
    assert len(batches.discarded(hourly.home, hourly.feed)) == COUNT


def test_a_batch_read_anew_hides_the_archived_one(hourly: Hourly) -> None:
    archives.archive_small(hourly.home, hourly.feed, at_once=COUNT)
    other = {**hourly.stated, "where": "true"}
    hourly.site.land(hourly.feed, "*.csv", **other)
    config = hourly.site.config(hourly.feed, "*.csv", **other)
    active = batches.active(hourly.home, hourly.feed, config.fingerprint)
    assert (len(active), len(hourly.rows(active))) == (COUNT, COUNT)
    # One is left of the old reading: its archive must show that one and none of the others.
    (hourly.site.folder / "4.csv").unlink()
    newest = [m for m in active if m.source_name == "4.csv"]
    for manifest in newest:
        batches.discard(hourly.home, manifest)
    shown = batches.active(hourly.home, hourly.feed, config.fingerprint)
    assert sorted(m.source_name for m in shown) == [f"{n}.csv" for n in range(COUNT)]
    assert len(hourly.rows(shown)) == COUNT


def test_a_damaged_part_keeps_its_batches_from_being_archived(
    hourly: Hourly, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lossy(connection: Any, home: Any, contract: Any, members: Any, *rest: Any) -> Any:
        return write_rows(connection, home, contract, members[:-1], *rest)

    write_rows = archives._write_rows
    monkeypatch.setattr(archives, "_write_rows", lossy)
    with pytest.raises(archives.SystemFailure, match="stay as they are"):
        archives.archive_small(hourly.home, hourly.feed, at_once=COUNT)
    assert len(hourly.rows()) == COUNT


@pytest.mark.parametrize("work", ["archive", "discard"])
def test_killed_before_any_step_it_loses_and_doubles_nothing(
    hourly: Hourly, monkeypatch: pytest.MonkeyPatch, work: str
) -> None:
    if work == "discard":
        archives.archive_small(hourly.home, hourly.feed, at_once=COUNT)
    rows, bad, told = hourly.rows(), hourly.bad(), hourly.told()
    chosen = hourly.batches()[2].batch_id
    at, is_over = 0, False
    while not is_over:
        at += 1
        copy = hourly.site.folder / f"copy{at}"
        shutil.copytree(hourly.home.root, copy)
        spoiled = Hourly.__new__(Hourly)
        spoiled.home, spoiled.feed = type(hourly.home)(copy), hourly.feed
        with monkeypatch.context() as patched:
            kill_before(patched, at)
            try:
                _do(spoiled, work, chosen)
                is_over = True
            except Killed:
                pass
        left = {m.batch_id for m in spoiled.batches()}
        gone = set() if chosen in left else {chosen}
        assert gone <= ({chosen} if work == "discard" else set())
        assert spoiled.rows() == [row for row in rows if not gone & set(map(str, row))]
        assert spoiled.bad() == [row for row in bad if not gone & set(map(str, row))]
        batches.clean(spoiled.home)
        assert [m["batch_id"] for m in spoiled.told()] == [
            m["batch_id"] for m in told if m["batch_id"] not in gone
        ]
        if not is_over and chosen in left:
            _do(spoiled, work, chosen)
            assert spoiled.folders() == 1
        assert len(spoiled.rows()) == COUNT - (work == "discard")
    assert at > 8


def _do(hourly: Hourly, work: str, chosen: str) -> None:
    if work == "archive":
        archives.archive_small(hourly.home, hourly.feed, at_once=2)
    else:
        archives.discard(hourly.home, batches.find(hourly.home, chosen))


def kill_before(patched: pytest.MonkeyPatch, step: int) -> None:
    """Kills before that one of the steps that move, remove or sync files."""
    steps = 0

    def counted(does: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any, **named: Any) -> Any:
            nonlocal steps
            steps += 1
            if steps == step:
                raise Killed
            return does(*arguments, **named)

        return run

    patched.setattr(os, "fsync", counted(os.fsync))
    patched.setattr(shutil, "rmtree", counted(shutil.rmtree))
    for name in ("rename", "unlink", "write_text"):
        patched.setattr(Path, name, counted(getattr(Path, name)))
