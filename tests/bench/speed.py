"""How long a refresh takes and what it needs, at size: python -m tests.bench.speed.

Run by hand; prints a report. The data is the demo generator's. Every refresh is the command in a
process of its own, measured with all it starts: seconds of the clock, seconds of the processors,
and the peak of resident memory. On a machine that others share only ratios within one run mean
something.
"""

import argparse
import datetime as dt
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb

from orchestration import archives, demo, landing, pseudonyms, publisher, settings
from orchestration.settings import Home

EVENTS_A_DAY = 6_130  # of the demo at scale 1
EVENT_MODELS = (
    "stg_event_keys",
    "stg_event_repeats",
    "stg_events",
    "int_sessions",
    "int_visitor_days",
)
AFTER_LANDING = ("prepare", "gate in", "model", "gate out", "publish", "archive")
IMPORTS = "import orchestration.cli, orchestration.running, orchestration.refresh"
SCRIPT = Path(__file__).parent / "event_grain.sql"
# The columns of the events that the script reads.
READ = (
    "event_id, occurred_at, received_at, visitor_id, account_id, event_type, content_id, channel, "
    "device, country, engaged_seconds, placement, day"
)


@dataclass(frozen=True)
class Measured:
    """What a process and all it started took.

    Attributes:
        seconds: By the clock.
        cpu_seconds: Of all processors together.
        peak_gb: Largest sum of resident memory, looked at twenty times a second.
        output: What it wrote to its standard output.
    """

    seconds: float
    cpu_seconds: float
    peak_gb: float
    output: str

    @property
    def result(self) -> dict[str, Any]:
        """The command's last line, as JSON."""
        answer: dict[str, Any] = json.loads(self.output.strip().splitlines()[-1])
        return answer

    def __str__(self) -> str:
        """The figures as the report prints them."""
        return f"{self.seconds:.1f} s, {self.cpu_seconds:.1f} CPU s, peak {self.peak_gb:.2f} GB"


def measure(arguments: Sequence[str | Path], variables: Mapping[str, str]) -> Measured:
    """Runs a command to its end.

    Raises:
        RuntimeError: It failed.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(
            [str(each) for each in arguments], env={**os.environ, **variables}, stdout=output
        )
        with _watched(process.pid) as peak:
            code = process.wait()
        seconds = time.monotonic() - began
        output.seek(0)
        text = output.read()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if code != 0:
        raise RuntimeError(f"{arguments} ended with {code}: {text[-2000:]}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Measured(seconds, cpu, peak[0] / 1e9, text)


@contextmanager
def _watched(pid: int) -> Iterator[list[int]]:
    """The largest resident memory of a process and its descendants, in bytes, so far."""
    peak = [0]
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(0.05):
            peak[0] = max(peak[0], sum(map(_resident, _family(pid))))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield peak
    finally:
        ended.set()
        thread.join()


def _family(pid: int) -> list[int]:
    found = [pid]
    for parent in found:
        try:
            for task in Path(f"/proc/{parent}/task").iterdir():
                found += map(int, (task / "children").read_text().split())
        except OSError:
            continue
    return found


def _resident(pid: int) -> int:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def refresh(home: Path, *arguments: str) -> Measured:
    """`arvo refresh` of the demo publisher in that home."""
    arvo = Path(sys.executable).parent / "arvo"
    return measure([arvo, "refresh", "--json", *arguments], {"ARVO_HOME": str(home)})


def new_home(folder: Path, source: Path, event_files: Sequence[Path]) -> Path:
    """A home whose events are those files and whose other feeds are all of `source`."""
    (folder / "source" / "events").mkdir(parents=True)
    for path in source.iterdir():
        if path.name != "events":
            (folder / "source" / path.name).symlink_to(path)
    for path in event_files:
        add_events(folder, path)
    return folder


def add_events(home: Path, path: Path) -> None:
    """One more file of events for a home."""
    (home / "source" / "events" / path.name).symlink_to(path)


def build(work: Path, source: Path, files: Sequence[Path], script_memory: str) -> Path:
    """A full build against the hand-written script over the same landing; prints both.

    The first refresh ends by putting its many small batches into archives. So the models are
    built once more before the script, from the very files that the script reads.
    """
    home = new_home(work / "full", source, files[:-1])
    first = refresh(home)
    steps = first.result["steps"]
    landed = sum(seconds for step, seconds in steps.items() if step.startswith("land "))
    print(f"## Full build of {first.result['landed_count']:,} landed rows\n")
    print(f"- the first refresh: {first}; landing {landed:.0f} s of it; then {told(steps)}")
    fresh_models = event_grain_seconds(home)
    full = refresh(home, "--full")
    steps = full.result["steps"]
    models = event_grain_seconds(home)
    print(f"- the same once more, nothing to land: {full}; {told(steps)}")
    script = measure(
        [sys.executable, "-m", "tests.bench.speed", "--script", home],
        {"ARVO_MEMORY_LIMIT": script_memory},
    )
    print(f"- the hand-written script over the same landing, in {script_memory}: {script}")
    print(f"- its tables are the models': {same_tables(home, script)}")
    took = float(script.result["seconds"])
    print(
        f"- event-grain models {models:.1f} s = {models / took:.2f} times the script, right after "
        f"landing {fresh_models:.1f} s = {fresh_models / took:.2f} times; all models and their "
        f"tests {steps['model'] / took:.2f} times"
    )
    gates = first.result["steps"]["gate in"] + first.result["steps"]["gate out"]
    after = sum(first.result["steps"][name] for name in AFTER_LANDING if name != "archive")
    print(f"- the gate's share of what follows landing in the first: {gates / after:.1%}\n")
    return home


def told(steps: Mapping[str, float]) -> str:
    """The steps after landing, in words."""
    return ", ".join(f"{name} {steps[name]:.1f} s" for name in AFTER_LANDING)


def event_grain_seconds(home: Path) -> float:
    """From the start of the first event-grain model to the end of the last."""
    ran = json.loads((Home(home).build / "dbt" / "run_results.json").read_text())["results"]
    times = [
        dt.datetime.fromisoformat(timing[edge])
        for result in ran
        if result["unique_id"].split(".")[-1] in EVENT_MODELS
        for timing in result["timing"]
        for edge in ("started_at", "completed_at")
    ]
    return (max(times) - min(times)).total_seconds()


def script(home: Home) -> None:
    """Runs the hand-written script in this process and prints what it took and made."""
    folder = Path(tempfile.mkdtemp(dir=home.root))
    try:
        with duckdb.connect(
            str(folder / "script.duckdb"),
            config={
                "memory_limit": settings.memory_limit(),
                "threads": settings.threads(),
                "preserve_insertion_order": False,
            },
        ) as connection:
            connection.execute("set TimeZone = 'UTC'")
            connection.execute(f"attach '{home.warehouse}' as warehouse (read_only)")
            connection.execute("create table refresh as from warehouse.landing.refresh")
            archived = [path.parent for path in home.landing.glob("events/*/archive.json")]
            alone = [p for p in home.landing.glob("events/*") if p not in archived]
            read = " union all ".join(map(parts, filter(None, (alone, archived))))
            connection.execute(f"create view landed as {read}")
            began = time.monotonic()
            connection.execute(SCRIPT.read_text())
            connection.execute("checkpoint")
            seconds = time.monotonic() - began
            told = {
                name: digest(connection, f"main.{name}") for name in ("sessions", "visitor_days")
            }
        print(json.dumps({"seconds": seconds, "digests": told}))
    finally:
        shutil.rmtree(folder)


def parts(folders: Sequence[Path]) -> str:
    """What the script reads of the events in those folders of landing."""
    globs = ", ".join(f"'{folder}/*/*.parquet'" for folder in folders)
    return f"(select {READ} from read_parquet([{globs}], hive_partitioning = false))"


def digest(connection: duckdb.DuckDBPyConnection, table: str) -> list[str]:
    """Rows of a table, and a sum of their hashes that no order changes."""
    columns = "day, visitor_id, account_id, device, event_count::bigint, page_views::bigint"
    columns += (
        ", started_at, ended_at, channel, country"
        if "sessions" in table
        else ", placement, engaged_seconds::decimal(18, 3), first_at, last_at"
    )
    row = connection.execute(f"select count(*), sum(hash({columns})) from {table}").fetchone()
    return [str(value) for value in row or ()]


def same_tables(home: Path, script: Measured) -> bool:
    """Whether the script made the sessions and visitor-days that the models made."""
    with duckdb.connect(str(Home(home).warehouse), read_only=True) as connection:
        made = {
            name: digest(connection, f"intermediate.int_{name}")
            for name in ("sessions", "visitor_days")
        }
    return bool(made == script.result["digests"])


def new_day(home: Path, path: Path, history: int) -> tuple[Measured, Measured]:
    """One new day on top of a built home, then nothing new; prints both."""
    add_events(home, path)
    day, nothing = refresh(home), refresh(home)
    assert day.result["verdict"] == "published", day.result
    assert nothing.result["verdict"] == "nothing new", nothing.result
    steps = {name: s for name, s in day.result["steps"].items() if s >= 0.5}
    print(f"- {history} days of history: one new day {day}; nothing new {nothing}")
    print("  - " + ", ".join(f"{name} {seconds:.1f} s" for name, seconds in steps.items()))
    return day, nothing


def history(work: Path, source: Path, files: Sequence[Path], full: Path) -> None:
    """One new day at 30, 90 and all days of history."""
    print("## One new day\n")
    taken = {}
    for days in (30, 90, len(files) - 1):
        home = full
        if days < len(files) - 1:
            home = new_home(work / f"days{days}", source, files[-days - 1 : -1])
            refresh(home)
        taken[days] = new_day(home, files[-1], days)[0]
    shortest, longest = taken[min(taken)], taken[max(taken)]
    print(
        f"- {max(taken)} days against {min(taken)}: "
        f"{longest.seconds / shortest.seconds:.2f} times the clock's seconds, "
        f"{longest.cpu_seconds / shortest.cpu_seconds:.2f} times the processors'\n"
    )


def fixed(home: Path) -> None:
    """What a refresh with nothing new costs beside its imports."""
    runs = [(measure([sys.executable, "-c", IMPORTS], {}), refresh(home)) for _ in range(3)]
    print("## Nothing new\n")
    for imports, nothing in runs:
        steps = sum(nothing.result["steps"].values())
        rest = nothing.seconds - imports.seconds - steps
        print(
            f"- {nothing.seconds:.2f} s: imports {imports.seconds:.2f} s, its steps {steps:.2f} s, "
            f"the rest {rest:.2f} s"
        )
    print()


def batches(work: Path, source: Path, files: Sequence[Path]) -> None:
    """The same events from 8,760 hourly files, landed as they come, and from 30 large ones."""
    print("## 8,760 hourly batches beside 30 large ones\n")
    taken = {}
    for count in (30, 8_760):
        home = new_home(work / f"batches{count}", source, [])
        slices = split(files, count, work / f"slices{count}")
        settings.export({"ARVO_HOME": str(home)})
        config = publisher.load(settings.publisher_path()).feeds["events"]
        # Of two hundred rows three bad ones, as the demo has them, are more than one in a hundred.
        config = replace(config, tolerated_bad_share=1.0)
        began = time.monotonic()
        # As if a refresh had followed every 200 files: it would have archived them.
        for first in range(0, count, archives.BATCHES_AT_ONCE):
            for path in slices[first : first + archives.BATCHES_AT_ONCE]:
                add_events(home, path)
            landing.land(Home(home), config, pseudonyms.key(Home(home)), settings.utc_now())
            archives.archive_small(Home(home), "events")
        seconds = time.monotonic() - began
        built, first_idle, nothing = refresh(home), refresh(home), refresh(home)
        assert built.result["verdict"] == "published", built.result
        stored = sum(p.stat().st_size for p in (home / "landing" / "events").rglob("*.*"))
        stored += sum(p.stat().st_size for p in (home / "quarantine" / "events").rglob("*.*"))
        steps = built.result["steps"]
        taken[count] = {
            "nothing new": nothing.cpu_seconds,
            "the first that finds nothing new": first_idle.cpu_seconds,
            "full build": built.cpu_seconds,
            "bytes of events": float(stored),
        }
        print(
            f"- {count:,} files: landing and archiving {seconds:.0f} s; full build {built} (models "
            f"{steps['model']:.1f} s); nothing new {first_idle}, then {nothing}; "
            f"{stored / 1e6:.0f} MB of events"
        )
    ratios = [f"{name} {taken[8_760][name] / taken[30][name]:.2f}" for name in taken[30]]
    print(f"- 8,760 against 30 (processor seconds, bytes): {', '.join(ratios)}\n")


def split(files: Sequence[Path], count: int, folder: Path) -> list[Path]:
    """The events of the files in the order they arrived, in so many files."""
    folder.mkdir()
    with duckdb.connect() as connection:
        listed = ", ".join(f"'{path}'" for path in files)
        connection.execute("set partitioned_write_max_open_files = 1000")
        # As they arrived, not by their time: the demo's impossible times would share a file.
        connection.execute(
            f"""copy (
                select * exclude (filename, file_row_number),
                    ntile({count}) over (order by filename, file_row_number) - 1 as slice
                from read_parquet([{listed}], filename = true, file_row_number = true)
            ) to '{folder}' (format parquet, compression zstd, partition_by (slice))"""
        )
        found = []
        for number in range(count):
            found.append(folder / f"{number:05}.parquet")
            parts = f"'{folder}/slice={number}/*.parquet'"
            connection.execute(
                f"copy (from read_parquet({parts}, hive_partitioning = false)) to '{found[-1]}'"
            )
    return found


def main() -> None:
    """Makes the data, then measures what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--millions", type=float, default=20, help="events, in millions")
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--folder", type=Path, help="where to work (default: a temporary one)")
    parser.add_argument("--source", type=Path, help="demo files made before, instead of new ones")
    parser.add_argument(
        "--only",
        choices=("build", "batches"),
        help="build: without the new days; batches: many small files beside few large ones",
    )
    parser.add_argument(
        "--script-memory",
        default=settings.memory_limit(),
        help="what DuckDB may take for the script, should arvo's own limit be too little for it",
    )
    parser.add_argument("--script", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.script:
        script(Home(asked.script))
        return
    work = Path(tempfile.mkdtemp(dir=asked.folder))
    try:
        source = asked.source
        if source is None:
            source = work / "source"
            scale = asked.millions * 1e6 / asked.days / EVENTS_A_DAY
            demo.make_demo(source, scale=scale, days=asked.days)
        files = sorted((source / "events").iterdir())
        if asked.only == "batches":
            batches(work, source, files)
            return
        home = build(work, source, files, asked.script_memory)
        if asked.only is None:
            history(work, source, files, home)
            fixed(home)
    finally:
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
