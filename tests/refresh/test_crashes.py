"""Refreshes that are killed: at random moments, and before every step that changes the disk.

Run as a program, this file is also the processes that are killed. By hand, with the real command
and as many kills as wanted: python -m tests.bench.crashes.
"""

import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import duckdb
import pytest

from orchestration import (
    batches,
    idle,
    landing,
    pseudonyms,
    publisher,
    refresh,
    reports,
    settings,
    versions,
    warehouse,
)
from orchestration.reports import FAILED, NOTHING_NEW, PUBLISHED
from quality.gate import Verdict
from tests.bench import crashes
from tests.refresh.small import Small, page_view

# What changes the disk, of all that Python calls.
CHANGES = {
    *(io.open, os.open, os.write, os.fsync, os.rename, os.replace, os.link, os.symlink),
    *(os.unlink, os.remove, os.rmdir, os.mkdir, os.chmod, os.utime, os.truncate),
}
EVENTS = [page_view(f"e{n}", f"v{n % 3}", f"2024-03-0{1 + n % 2}T10:00:00Z") for n in range(6)]
BAD = page_view("e9", "v1", "no time at all")


def test_refreshes_killed_at_random_moments_end_as_if_nobody_had_disturbed_them(
    tmp_path: Path,
) -> None:
    report = run("-m", "tests.bench.crashes", *SMALL_CAMPAIGN, tmp_path)

    assert report["kills"] == 12
    assert report["reads"] > 2
    for wrong in ("torn reads", "reader errors", "differences", "leftovers"):
        assert report[wrong] == [], wrong


SMALL_CAMPAIGN = (
    *("--bare", "--json"),
    *("--kills", "12", "--deliveries", "2", "--in-a-row", "12", "--readers", "1"),
    *("--seed", "4", "--folder"),
)


def test_a_landing_killed_before_any_step_neither_loses_nor_repeats_a_row(tmp_path: Path) -> None:
    outcome = run(__file__, "land", tmp_path)

    assert outcome["problems"] == []
    assert outcome["kills"] > 30
    # Nothing yet, the key's proof half written, bad rows put aside, a batch half written, …
    assert outcome["states"] > 8


def test_a_refresh_killed_before_any_step_of_publishing_is_told_of_as_it_ended(
    tmp_path: Path,
) -> None:
    outcome = run(__file__, "publish", tmp_path)

    assert outcome["problems"] == []
    assert outcome["kills"] > 15
    assert outcome["states"] > 5
    assert set(outcome["seen"]) == {"before", "after"}


@pytest.mark.parametrize("name", ["home.json", "pseudonym.check", "dagster/dagster.yaml"])
def test_a_small_file_that_cannot_be_written_whole_is_not_there(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    batches.write_whole(path, "old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        batches.write_whole(path, "new")

    assert path.read_text() == "old"
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_a_page_that_a_killed_refresh_did_not_write_is_written_by_the_next(
    published: Small,
) -> None:
    [report] = published.home.reports.iterdir()
    page = report / "index.html"
    told = page.read_text()
    page.unlink()
    with published.opened() as run:
        run.verdict = NOTHING_NEW
    # The report and the page each say themselves when the refresh ended.
    at = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\.\d+")
    assert at.sub("<instant>", page.read_text()) == at.sub("<instant>", told)


def run(*arguments: object) -> Any:
    """What a program of these tests prints."""
    root = settings.project_root()
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root), "ARVO_PSEUDONYM_KEY": crashes.KEY},
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.stdout, done.stderr[-3000:]
    return json.loads(done.stdout)


# Killed before the n-th step


def killed_before(number: int, action: Callable[[], object], within: Callable[..., Any]) -> bool:
    """Runs an action in a child that kills itself before its n-th change of the disk."""
    status = in_a_child(partial(die_before, number, action, within))
    if status and not os.WIFSIGNALED(status):
        raise AssertionError(f"the action itself failed, killed before step {number}")
    return os.WIFSIGNALED(status)


def die_before(number: int, action: Callable[[], object], within: Callable[..., Any]) -> None:
    """Runs an action until its n-th step that changes the disk, or to its end.

    Steps are counted from the first call of the function `within` on; those of versions.commit,
    which has a test of its own, are one, and so are those of the note that all is published, which
    opens hundreds of files to read them.
    """
    as_one = (versions.commit.__code__, refresh._settle.__code__)
    count = 0
    is_counting = False
    is_inside = False

    def step() -> None:
        nonlocal count
        count += 1
        if count == number:
            os.kill(os.getpid(), signal.SIGKILL)

    def on_event(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal is_counting, is_inside
        if frame.f_code in as_one and event in ("call", "return"):
            is_inside = event == "call"
            step()
        is_counting = is_counting or frame.f_code is within.__code__
        if event != "c_call" or not is_counting or is_inside:
            return
        if argument in CHANGES or is_write(argument):
            step()

    sys.setprofile(on_event)
    try:
        action()
    finally:
        sys.setprofile(None)


def is_write(called: Any) -> bool:
    """Whether a built-in writes to a file."""
    return called.__name__ == "write" and isinstance(called.__self__, io.IOBase)


def in_a_child(action: Callable[[], object]) -> int:
    """Runs an action in a forked child; its wait status (0 when it went well)."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            action()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    return os.waitpid(child, 0)[1]


def land_at_every_step(folder: Path) -> dict[str, Any]:
    """Lands a file with a bad row, killed before its n-th step, for every n."""
    pristine = Small(folder / "pristine", ["events"])
    pristine.add("events", *EVENTS, BAD)
    stated = json.loads(pristine.path.read_text())
    stated["feeds"]["events"]["tolerated_bad_share"] = 0.5
    pristine.path.write_text(json.dumps(stated))
    undisturbed = at(pristine, folder / "undisturbed")
    assert in_a_child(partial(land, undisturbed)) == 0
    due = crashes.in_a_child(partial(landed, undisturbed))

    outcome: dict[str, Any] = {"kills": 0, "states": 0, "problems": []}
    states = set()
    is_killed = True
    while is_killed:
        small = at(pristine, folder / "scene")
        number = outcome["kills"] + 1
        is_killed = killed_before(number, partial(land, small), landing.land)
        outcome["kills"] += is_killed
        state = listing(small.folder)
        # Where the same files lie, landing goes on in the same way.
        if state not in states:
            states.add(state)
            found = crashes.in_a_child(partial(landed_again, small))
            differ = [key for key in due if found[key] != due[key]]
            outcome["problems"] += [f"step {number}: {key}" for key in differ]
        shutil.rmtree(small.folder)
    outcome["states"] = len(states)
    return outcome


def at(pristine: Small, folder: Path) -> Small:
    """A copy of a publisher in another folder, with the same times of its files."""
    shutil.copytree(pristine.folder, folder, symlinks=True)
    copied = object.__new__(Small)
    copied.__dict__ |= pristine.__dict__
    copied.folder, copied.path, copied.data = folder, folder / "publisher.yml", folder / "data"
    copied.home = settings.Home(folder / "home")
    return copied


def land(small: Small) -> None:
    """Lands as a refresh does that has the home to itself."""
    small.home.reports.mkdir(parents=True, exist_ok=True)
    refresh._clear_killed(small.home)
    config = publisher.load(small.path).feeds["events"]
    landing.land(small.home, config, pseudonyms.key(small.home), settings.utc_now())


def landed_again(small: Small) -> dict[str, Any]:
    """What there is when landing was begun once more."""
    land(small)
    return landed(small)


def landed(small: Small) -> dict[str, Any]:
    """All rows that landed and all that were put aside, and which kinds of files there are."""
    home = small.home
    rows = []
    with duckdb.connect() as connection:
        for manifest in batches.committed(home, "events"):
            folder = home.landing / "events" / manifest.batch_id
            found = connection.execute(
                "select event_id, source_row, day from read_parquet($names) order by all",
                {"names": [str(folder / part.name) for part in manifest.parts]},
            )
            rows.append([manifest.batch_id, repr(found.fetchall())])
        bad = connection.execute(
            "select source, reasons from read_parquet($names)",
            {"names": f"{home.quarantine}/*/*.parquet"},
        ).fetchall()
    return {"rows": rows, "bad": repr(bad), "files": crashes.kinds(small)}


def listing(folder: Path) -> tuple[tuple[str, int], ...]:
    """Names and sizes of everything in a folder, whatever its refreshes are called."""
    listed = []
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        for pattern, told in crashes.NAMES:
            name = pattern.sub(told, name)
        listed.append((name, path.stat().st_size if path.is_file() else 0))
    return tuple(sorted(listed))


def publish_at_every_step(folder: Path) -> dict[str, Any]:
    """Publishes a second version, killed before its n-th step, for every n."""
    small = Small(folder / "small", ["events"])
    small.add("events", *EVENTS[:3])
    assert in_a_child(partial(build, small)) == 0
    assert in_a_child(partial(publish, small)) == 0
    small.add("events", *EVENTS[3:])
    assert in_a_child(partial(build, small)) == 0
    outcome: dict[str, Any] = {"kills": 0, "states": 0, "seen": [], "problems": []}
    states = set()
    is_killed = True
    while is_killed:
        scene = at(small, folder / "scene")
        number = outcome["kills"] + 1
        is_killed = killed_before(number, partial(publish, scene), refresh.publish)
        outcome["kills"] += is_killed
        state = listing(scene.folder)
        if state not in states:
            states.add(state)
            try:
                outcome["seen"].append(crashes.in_a_child(partial(judged_after_kill, scene)))
            except RuntimeError as error:
                outcome["problems"].append(f"step {number}: {error}")
        shutil.rmtree(scene.folder)
    outcome["states"] = len(states)
    return outcome


def build(small: Small) -> None:
    """Lands and makes marts, and leaves them unpublished."""
    with passing(small, is_full=True) as run:
        refresh.land(run, "events")
        refresh.has_work(run)
        make_marts(run)
        run.verdict = NOTHING_NEW


@contextmanager
def passing(small: Small, **asked: Any) -> Iterator[refresh.Refresh]:
    """A refresh whose gate passes everything."""
    passed = Verdict("marts", (), ())
    judged = refresh._judged
    refresh._judged = lambda run, verdict: verdict
    try:
        with small.opened(judge=lambda judge, home: passed, **asked) as run:
            yield run
    finally:
        refresh._judged = judged


def make_marts(run: refresh.Refresh) -> None:
    """Marts as the models leave them, of one table that matters; dbt would take seconds."""
    refresh.prepare_models(run)
    with run.step("model"), warehouse.connect(run.home) as connection:
        connection.execute("create schema if not exists marts")
        for name, source in MARTS.items():
            connection.execute(f"create or replace table marts.{name} as from {source}")
    refresh.stamp(run)


MARTS = {
    "customers": "(select count(*) as event_count from landing.all_events)",
    "refreshes": "landing.refreshes",
    "quality_results": "landing.quality_results",
}


def publish(small: Small) -> None:
    """The end of a refresh, with a gate that passes."""
    with passing(small) as run:
        refresh.land(run, "events")
        if refresh.has_work(run):
            refresh.publish(run)


def judged_after_kill(small: Small) -> str:
    """What a reader sees, and that the next refresh makes up for what was cut short."""
    [(seen,)] = small.rows("from customers")
    assert seen in (3, 6), seen
    # Two published and a third under way, as far as it got; none of them twice.
    began = len(reports.read_all(small.home))
    publish(small)
    assert small.rows("from customers") == [(6,)]
    told = [report["verdict"] for report in reports.read_all(small.home)]
    again = [] if seen == 6 else [PUBLISHED]
    killed = PUBLISHED if seen == 6 else FAILED
    assert told == [*([PUBLISHED, killed][:began]), *again], told
    files = {version.path.name for version in versions.versions(small.home.published)}
    assert {path.name for path in small.home.published.iterdir()} == files | {versions.LINK}
    assert len(files) == 2
    assert {path.name for path in small.home.build.iterdir()} <= WORKING_FILES
    return "after" if seen == 6 else "before"


WORKING_FILES = {"warehouse.duckdb", "candidate.duckdb", "scratch", idle.NOTE}


if __name__ == "__main__":
    roles = {"land": land_at_every_step, "publish": publish_at_every_step}
    outcome = roles[sys.argv[1]](Path(sys.argv[2]))
    sys.stdout.write(json.dumps(outcome))
