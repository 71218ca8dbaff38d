"""Refreshes that lack something: room on the disk, memory, open files, a clock that goes on.

Run as a program, this file is also the refreshes that lack it. With the real command, a small
disk and larger data: python -m tests.bench.resources.
"""

import datetime as dt
import hashlib
import json
import os
import resource
import shutil
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from orchestration import landing, refresh, reports, settings, versions, warehouse
from orchestration.errors import ArvoError, SystemFailure
from orchestration.landing import CLOCK_TOLERANCE
from orchestration.reports import PUBLISHED
from tests.bench import crashes
from tests.refresh import test_crashes as killed
from tests.refresh.small import Small, page_view

DAY = dt.datetime(2024, 3, 10, 12)


def test_without_room_for_a_file_a_refresh_fails_clearly_and_the_next_one_makes_up_for_it(
    tmp_path: Path,
) -> None:
    outcome = killed.run(__file__, "sizes", tmp_path)

    assert outcome["problems"] == []
    # From no byte at all to all it needs: it fails at different steps, and in the end not.
    assert len(outcome["failed"]) > 3, outcome["failed"]
    assert outcome["finished"] >= 1


def test_whatever_cannot_be_synced_to_disk_nothing_is_lost_and_readers_see_whole_versions(
    tmp_path: Path,
) -> None:
    outcome = killed.run(__file__, "syncs", tmp_path)

    assert outcome["problems"] == []
    assert len(outcome["failed"]) > 2, outcome["failed"]
    assert outcome["finished"] >= 1


# The clock


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Small:
    """A publisher whose events of the 9th of March were published on the 10th."""
    monkeypatch.setenv("ARVO_PSEUDONYM_KEY", crashes.KEY)
    made = Small(tmp_path / "small", ["events"])
    made.add("events", page_view("e1", "v1", "2024-03-09T10:00:00Z"))
    at(monkeypatch, DAY)
    refreshed(made)
    return made


def at(monkeypatch: pytest.MonkeyPatch, *moments: dt.datetime) -> None:
    """The clock of the refreshes to come: these moments, the last one for ever."""
    left = list(moments)
    monkeypatch.setattr(settings, "utc_now", lambda: left.pop(0) if len(left) > 1 else left[0])


def refreshed(small: Small, **asked: Any) -> str:
    """A refresh whose models are made by hand; its name."""
    with killed.passing(small, is_full=True, **asked) as run:
        refresh.land(run, "events")
        if refresh.has_work(run):
            killed.make_marts(run)
            refresh.publish(run)
    return str(run.refresh_id)


def test_a_clock_behind_the_last_refresh_is_refused_before_anything_lands(
    small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = killed.listing(small.home.root)
    small.add("events", page_view("e2", "v1", "2024-03-10T10:00:00Z"))
    at(monkeypatch, DAY - dt.timedelta(days=3))

    with pytest.raises(SystemFailure, match="clock says 2024-03-07 12:00 UTC.*Set the clock right"):
        refreshed(small)

    assert killed.listing(small.home.root) == before
    at(monkeypatch, DAY + dt.timedelta(days=1))
    refreshed(small)
    assert small.rows("from customers") == [(2,)]


def test_a_clock_that_was_wrong_before_is_told_of_once(
    small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    small.add("events", page_view("e2", "v1", "2024-03-01T10:00:00Z"))
    at(monkeypatch, DAY - dt.timedelta(days=3))

    first = refreshed(small, accepted="the clock was three days ahead")
    small.add("events", page_view("e3", "v1", "2024-03-01T11:00:00Z"))
    second = refreshed(small)

    names = [version.refresh_id for version in versions.versions(small.home.published)]
    assert names[1:] == [first, second]
    assert names == sorted(names)
    assert [report["refresh_id"] for report in reports.read_all(small.home)] == names
    assert small.rows("from customers") == [(3,)]


def test_a_clock_that_steps_back_a_little_or_in_the_midst_of_a_refresh_changes_nothing(
    small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    small.add("events", page_view("e2", "v1", "2024-03-09T11:00:00Z"))
    a_little = CLOCK_TOLERANCE / 2
    at(monkeypatch, DAY - a_little, *[DAY - n * a_little for n in range(1, 8)])

    name = refreshed(small)

    names = [version.refresh_id for version in versions.versions(small.home.published)]
    assert names == sorted(names)
    assert names[-1] == name
    assert small.rows("from customers") == [(2,)]
    assert small.rows("select max(verdict), count(*) from refreshes") == [(PUBLISHED, 2)]


def test_refresh_ids_follow_each_other_however_far_the_clock_is_set_back() -> None:
    newest = refresh.new_id(dt.datetime(2024, 12, 31, 23, 59, 59, 999_999))

    following = refresh.new_id(dt.datetime(1999, 1, 1), newest)

    assert newest == "20241231T235959Z-ffff"
    assert following == "20250101T000000Z-0000"


# A refresh that lacks something, in a process of its own


def sizes(folder: Path) -> dict[str, Any]:
    """Refreshes that may write no file larger than so many bytes."""
    limits = [0, *(2**n for n in range(8, 24, 2))]
    return in_need(folder, [partial(limit, resource.RLIMIT_FSIZE, size) for size in limits])


def limit(kind: int, value: int) -> None:
    """Limits this process and those it starts."""
    resource.setrlimit(kind, (value, resource.getrlimit(kind)[1]))


def syncs(folder: Path) -> dict[str, Any]:
    """Refreshes whose n-th write to the disk finds it full, for every n until none does."""
    return in_need(folder, [partial(fail_sync, number) for number in range(1, 60, 2)])


def fail_sync(number: int) -> None:
    """Makes the n-th sync of this process fail."""
    fsync = os.fsync
    count = 0

    def full(descriptor: int) -> None:
        nonlocal count
        count += 1
        if count == number:
            raise OSError(28, "No space left on device")
        fsync(descriptor)

    os.fsync = full


def in_need(folder: Path, needs: list[Callable[[], None]]) -> dict[str, Any]:
    """A refresh in each need, and one without after it; how they ended and what was lost.

    Stops after the first that does not fail.
    """
    small = Small(folder / "small", ["events"])
    small.add("events", *killed.EVENTS[:3])
    assert killed.in_a_child(partial(whole, small)) == 0
    small.add("events", *killed.EVENTS[3:])
    undisturbed = killed.at(small, folder / "undisturbed")
    assert killed.in_a_child(partial(whole, undisturbed)) == 0
    due = crashes.kinds(undisturbed)
    outcome: dict[str, Any] = {"failed": {}, "finished": 0, "problems": []}
    for number, need in enumerate(needs):
        scene = killed.at(small, folder / "scene")
        before = published(scene)
        told = crashes.in_a_child(partial(ended, scene, need))
        wrong = []
        if told is None:
            outcome["finished"] += 1
        else:
            step, message = told
            outcome["failed"].setdefault(step, message)
            wrong += flaws(message)
            is_out = "is published" in message
            wrong += ["the published files changed"] * (published(scene) != before and not is_out)
        if killed.in_a_child(partial(whole, scene)):
            wrong.append("the next refresh failed")
        elif (rows := crashes.in_a_child(partial(scene.rows, "from customers"))) != [[6]]:
            wrong.append(f"the next refresh ended in {rows}")
        more = set(crashes.kinds(scene)) - set(due)
        wrong += [f"left behind: {more}"] * bool(more)
        outcome["problems"] += [f"need {number}, {told}: {each}" for each in wrong]
        shutil.rmtree(scene.folder)
        if told is None:
            break
    return outcome


def ended(small: Small, need: Callable[[], None]) -> tuple[str, str] | None:
    """Where a refresh in need failed and what it said; None when it ended well."""
    need()
    try:
        whole(small)
    except ArvoError as error:
        last = (reports.read_all(small.home) or [{}])[-1]
        return (list(last.get("steps") or ["before"])[-1], str(error))
    except Exception as error:
        # What the steps did not explain themselves is told by the report, as the command does.
        last = (reports.read_all(small.home) or [{}])[-1]
        return (list(last.get("steps") or ["before"])[-1], last.get("reason") or repr(error))
    return None


def flaws(message: str) -> list[str]:
    """What a message to a user lacks: a place, what to do; or what it should not be."""
    wrong = []
    if "/" not in message and "ARVO_" not in message:
        wrong.append("the message names no place")
    if not any(word in message for word in ("ake room", "gain", "raise the limit", "report")):
        wrong.append("the message does not say what to do")
    if "Traceback" in message or "\n" in message:
        wrong.append("the message is no paragraph")
    return wrong


def whole(small: Small) -> None:
    """A refresh with models made by hand and a gate that passes."""
    with killed.passing(small, is_full=True) as run:
        refresh.land(run, "events")
        if refresh.has_work(run):
            killed.make_marts(run)
            refresh.publish(run)


def published(small: Small) -> dict[str, str]:
    """What readers find: the versions there are, and which of them the link leads to."""
    found = {
        version.path.name: hashlib.sha256(version.path.read_bytes()).hexdigest()
        for version in versions.versions(small.home.published)
    }
    return {**found, "current": versions.current(small.home.published).path.name}


if __name__ == "__main__":
    roles = {"sizes": sizes, "syncs": syncs}
    sys.stdout.write(json.dumps(roles[sys.argv[1]](Path(sys.argv[2]))))


def test_a_long_query_draws_nothing_over_our_output(small: Small) -> None:
    asked = "select current_setting('enable_progress_bar')"
    with warehouse.connect(small.home) as connection:
        assert connection.execute(asked).fetchall() == [(False,)]
    with landing.workspace(small.home, "events") as (connection, _):
        assert connection.execute(asked).fetchall() == [(False,)]
