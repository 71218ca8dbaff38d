"""Kills refreshes with SIGKILL at random moments: python -m tests.bench.crashes --kills 200.

Run by hand; `tests/refresh/test_crashes.py` runs a dozen kills of `--bare` ones. A small
publisher gets new files between refreshes. Each refresh is killed, together with the dbt it
started, one to `--in-a-row` times at moments drawn over its whole duration; then one runs
undisturbed. Meanwhile readers poll what is published. At the end every undisturbed refresh must
have left what a publisher that nobody disturbed has after the same files: the same rows in every
mart, the same batches, the same kinds of files.

Most refreshes are forked from a process that has loaded what `arvo refresh` loads, and then run
the command with its dbt: the kills hit steps, not imports. `--cold` is the share of refreshes
that are started from nothing, `--alone` the share of kills that spare dbt, as the system does
when it runs out of memory. Prints what it saw; exits with 1 when anything was torn, lost or left.
"""

import argparse
import contextlib
import datetime as dt
import hashlib
import json
import os
import random
import re
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import duckdb

from orchestration import batches, idle, refresh, settings, versions, warehouse
from orchestration.errors import ArvoError
from orchestration.settings import Home
from quality.gate import Verdict
from tests.refresh.small import Row, Small, bill, page_view, payment, subscription

FEEDS = ("events", "accounts", "subscriptions", "payments", "ad_revenue", "exchange_rates")
FIRST_DAY = dt.date(2024, 3, 29)
VISITORS = ("v1", "v2", "v3", "v4", "v5")
READERS = ("liisa", "matti", "aino")
Delivery = Mapping[str, Sequence[Row]]
KEY = "0123456789abcdef0123456789abcdef"
LONGEST_SECONDS = 900
POLL_SECONDS = 0.005
# Between two reads of a reader.
READ_SECONDS = 0.3
# The marts that tell of refreshes differ by how often one was killed; all others may not.
OF_REFRESHES = (*versions.OPERATIONS, "restatements")
# What a refresh prints when a step is done, and the step that is then under way.
UNDER_WAY = {
    "start": "landing",
    "land": "landing",
    "plan": "gate in",
    "gate     landing": "model",
    "model": "gate out",
    "gate     marts": "publish",
    "publish": "report",
    "published": "exit",
}
NAMES = (
    (re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{4}"), "<refresh>"),
    (re.compile(r"[0-9a-f]{32}"), "<batch>"),
    (re.compile(r"marts-\d{6,}-"), "marts-<number>-"),
)


@dataclass(frozen=True)
class State:
    """What a home holds.

    Attributes:
        marts: Digest of all rows of a published mart, by its name.
        landed: Feed, batch and rows of everything that landed.
        files: How many files there are of a kind (their path without the names of runs).
        unfinished_runs: Runs that Dagster's page would show as still under way.
    """

    marts: dict[str, str]
    landed: list[tuple[str, str, int, int]]
    files: dict[str, int]
    unfinished_runs: int


@dataclass
class Seen:
    """What a campaign saw."""

    kills: Counter[str] = field(default_factory=Counter)
    spared: int = 0
    undisturbed: int = 0
    refused: int = 0
    seconds: list[float] = field(default_factory=list)
    is_whole: bool = True
    reads: int = 0
    torn: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)
    leftovers: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """Whether nothing was torn, lost or left behind."""
        return not (self.torn or self.errors or self.differences or self.leftovers)

    def told(self) -> dict[str, Any]:
        """The report."""
        median = statistics.median(self.seconds) if self.seconds else 0
        return {
            "kills": sum(self.kills.values()),
            "ended as asked": self.is_whole,
            "kills by the step under way": dict(self.kills.most_common()),
            "kills that spared dbt": self.spared,
            "undisturbed refreshes": self.undisturbed,
            "refused while dbt lived on": self.refused,
            "seconds of an undisturbed refresh": round(median, 1),
            "reads": self.reads,
            "torn reads": self.torn,
            "reader errors": self.errors,
            "differences": self.differences,
            "leftovers": self.leftovers,
        }


# The publisher


def deliveries(chance: random.Random, count: int) -> list[Delivery]:
    """What arrives before each refresh: a day's rows, late ones and corrections of the last day."""
    days = [FIRST_DAY + dt.timedelta(days=number) for number in range(count)]
    return [
        {
            "events": [*events(chance, day), *events(chance, day - dt.timedelta(days=1))[:3]],
            "accounts": [
                {"account_id": name, "registered_at": at(FIRST_DAY), "country": str(day)}
                for name in (*READERS[:2], f"new {day}")
            ],
            "subscriptions": [
                # The last one ends with its day: the row of its key that came last wins.
                {**subscription(f"s {day}", READERS[0], at(day)), "plan": f"plan {day}"},
                {**subscription("s", READERS[1], at(FIRST_DAY)), "ended_at": at(day, hour=23)},
            ],
            "payments": [payment(f"p {day}", READERS[0], at(day), 10, currency="SEK")],
            "ad_revenue": [
                bill(str(day), chance.randint(1, 900) / 100),
                bill(str(day - dt.timedelta(days=1)), chance.randint(1, 900) / 100),
                bill(str(day), 5, placement="front", currency="SEK"),
            ],
            "exchange_rates": [{"day": str(day), "currency": "SEK", "rate": 0.09}],
        }
        for day in days
    ]


def events(chance: random.Random, day: dt.date) -> list[Row]:
    """Page views of a day; some readers are logged in, some views reach into the night."""
    made = []
    for number, visitor in enumerate(VISITORS):
        for hour in sorted(chance.choices(range(24), k=8)):
            account = chance.choice([None, READERS[number % len(READERS)]])
            name = f"{visitor} {day} {hour}"
            made.append(page_view(name, visitor, at(day, hour=hour), account_id=account))
    return made


def at(day: dt.date, *, hour: int = 6) -> str:
    """An instant of a day."""
    return f"{day}T{hour:02}:30:00Z"


def deliver(small: Small, delivery: Delivery) -> None:
    """One new file per feed."""
    for feed, rows in delivery.items():
        small.add(feed, *rows)


# Refreshes as processes


def environment(small: Small) -> dict[str, str]:
    """What a refresh of this publisher finds in its environment."""
    scratch = small.folder / "tmp"
    scratch.mkdir(exist_ok=True)
    return {
        "ARVO_PSEUDONYM_KEY": KEY,
        "ARVO_HOME": str(small.home.root),
        "TMPDIR": str(scratch),
    }


def arguments(small: Small) -> list[str]:
    """The command; a random history compares badly with its own past."""
    where = ["--home", str(small.home.root), "--publisher", str(small.path)]
    return ["refresh", *where, "--accept-change", "a random history"]


def start_cold(small: Small, log: Path) -> int:
    """`arvo refresh` as a user starts it; the number of its process and of its group."""
    with log.open("w") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "orchestration.cli", *arguments(small)],
            cwd=settings.project_root(),
            env={**os.environ, **environment(small)},
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    # Waited for by its number, as the forked ones are.
    process.returncode = 0
    return process.pid


def start_warm(small: Small, log: Path) -> int:
    """The same command in a fork of this process, which has loaded its modules."""
    from orchestration import cli

    return forked(partial(cli.main, arguments(small)), small, log)


def start_light(small: Small, log: Path) -> int:
    """The steps of the command without Dagster, with dbt in the same process."""
    return forked(partial(refresh_lightly, small), small, log)


def start_bare(small: Small, log: Path) -> int:
    """The same without dbt and with gates that let everything pass: a second instead of ten."""
    return forked(partial(refresh_bare, small), small, log)


def refresh_bare(small: Small) -> int:
    """One refresh whose marts are the landed rows; its exit code."""
    passed = Verdict("marts", (), ())
    refresh._judged = lambda run, verdict: run.say("gate     marts: left out")
    with small.opened(
        is_full=True, judge=lambda judge, home: passed, say=partial(print, flush=True)
    ) as run:
        for feed in FEEDS:
            refresh.land(run, feed)
        if refresh.has_work(run):
            refresh.prepare_models(run)
            run.say("gate     landing: left out")
            with run.step("model"), warehouse.connect(run.home) as connection:
                connection.execute("create schema if not exists marts")
                for mart in (*FEEDS, *versions.OPERATIONS):
                    source = f"select * exclude (batch_id) from landing.{mart}"
                    source = source if mart in FEEDS else f"from landing.{mart}"
                    connection.execute(f"create or replace table marts.{mart} as {source}")
            refresh.stamp(run)
            run.say("model    left out")
            refresh.publish(run)
    return 0


def refresh_lightly(small: Small) -> int:
    """One refresh without Dagster; its exit code."""
    try:
        run = small.refresh(
            tests=False,
            accepted="a random history",
            say=lambda line: print(line, flush=True),
        )
    except ArvoError as error:
        print(error, flush=True)
        return error.exit_code
    print("published" if run.error is None else run.reason, flush=True)
    return run.error.exit_code if run.error else 0


def forked(action: Callable[[], int], small: Small, log: Path) -> int:
    """Runs an action in a child that leads a group of its own; its process number."""
    child = os.fork()
    if child:
        return child
    code = 70
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.setsid()
        with log.open("w") as stream:
            os.dup2(stream.fileno(), 1)
            os.dup2(stream.fileno(), 2)
        os.environ.update(environment(small))
        tempfile.tempdir = None
        code = action()
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(code)


def warm_up(*, is_light: bool = False, is_bare: bool = False) -> None:
    """Loads what a refresh loads, so that its forks begin with landing."""
    from orchestration import checking  # noqa: F401
    from quality import docs  # noqa: F401

    if not is_bare:
        import great_expectations  # noqa: F401

        from quality import acceptance, engine, gate, landing, marts  # noqa: F401
    if is_light:
        from tests.refresh import small

        small.parsed_project()
    elif not is_bare:
        import dagster  # noqa: F401

        from orchestration import assets, definitions, models, running  # noqa: F401

        models.manifest_path()


def ended(process: int, seconds: float) -> int | None:
    """The exit code of a process that ends within the time, else None; bounded."""
    deadline = time.monotonic() + seconds
    while True:
        number, status = os.waitpid(process, os.WNOHANG)
        if number:
            return os.waitstatus_to_exitcode(status)
        left = deadline - time.monotonic()
        if left <= 0:
            return None
        time.sleep(min(left, POLL_SECONDS))


def kill(process: int, *, alone: bool) -> None:
    """Ends a refresh as a power cut would; alone, its dbt lives on."""
    if alone:
        os.kill(process, signal.SIGKILL)
    else:
        os.killpg(process, signal.SIGKILL)
    os.waitpid(process, 0)


def has_members(group: int) -> bool:
    """Whether any process of a group is left."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def under_way(log: Path) -> str:
    """The step a refresh was in when it was killed."""
    step = "start"
    for line in log.read_text().splitlines():
        for said, then in UNDER_WAY.items():
            if line.startswith(said):
                step = then
    return step


# What there is to compare


def in_a_child(action: Callable[[], Any]) -> Any:
    """What an action returns; DuckDB's threads stay out of the process that forks."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.close(reading)
            with os.fdopen(writing, "w") as stream:
                json.dump(action(), stream)
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading) as stream:
        text = stream.read()
    if os.waitpid(child, 0)[1]:
        raise RuntimeError("what was to be compared could not be read")
    return json.loads(text)


def state(small: Small) -> State:
    """What a home holds once no refresh runs in it."""
    marts, landed = in_a_child(partial(_contents, small.home))
    return State(
        marts, [tuple(batch) for batch in landed], kinds(small), unfinished_runs(small.home)
    )


def _contents(home: Home) -> tuple[dict[str, str], list[tuple[str, str, int, int]]]:
    landed = [
        (feed, m.batch_id, m.landed_count, m.quarantined_count)
        for feed in FEEDS
        for m in batches.committed(home, feed)
    ]
    with duckdb.connect(str(home.published / versions.LINK), read_only=True) as connection:
        names = connection.execute("select table_name from duckdb_tables() order by 1").fetchall()
        marts = {
            name: _digest(connection.execute(f"from {name} order by all").fetchall())
            for (name,) in names
            if name not in OF_REFRESHES
        }
    return marts, landed


def _digest(rows: list[tuple[Any, ...]]) -> str:
    return hashlib.sha256(repr(rows).encode()).hexdigest()


def kinds(small: Small) -> dict[str, int]:
    """Files of the home by their kind, and of the folder for temporary files.

    Dagster's own files are left out, and what has a fixed name or goes with the next refresh: dbt's
    working files, the note that all is published.
    """
    home = small.home
    own = (home.dagster, home.build / "dbt", home.build / "scratch", home.build / idle.NOTE)
    found: Counter[str] = Counter()
    for root in (home.root, small.folder / "tmp"):
        for path in root.rglob("*"):
            if any(path.is_relative_to(folder) for folder in own):
                continue
            kind = str(path.relative_to(small.folder))
            for pattern, name in NAMES:
                kind = pattern.sub(name, kind)
            found[kind] += 1
    return dict(found)


def unfinished_runs(home: Home) -> int:
    """Runs that Dagster's page shows as under way."""
    path = home.dagster / "history" / "runs.db"
    if not path.exists():
        return 0
    with contextlib.closing(sqlite3.connect(path)) as connection:
        row = connection.execute(
            "select count(*) from runs where status in ('STARTED', 'STARTING', 'CANCELING')"
        ).fetchone()
    return int(row[0])


# Of these a killed refresh rightly leaves one each: it is told of in `refreshes`.
PER_KILL = (
    "home/reports/<refresh>",
    "home/reports/<refresh>/report.json",
    "home/reports/<refresh>/dbt.log",
    "home/reports/<refresh>/index.html",
    "home/published/marts-<number>-<refresh>.duckdb",
)


def leftovers(found: State, due: State, kills: int) -> list[str]:
    """What there is more of than after as many refreshes that nobody disturbed."""
    told = []
    for kind in sorted(found.files.keys() | due.files.keys()):
        more = found.files.get(kind, 0) - due.files.get(kind, 0)
        if kind in PER_KILL and 0 <= more <= kills:
            continue
        if more:
            told.append(f"{kind}: {more:+}")
    if found.unfinished_runs:
        told.append(f"dagster: {found.unfinished_runs} runs are shown as under way")
    return told


def differences(found: State, due: State) -> list[str]:
    """The marts and batches that differ from those of a publisher nobody disturbed."""
    told = [
        name
        for name in sorted(found.marts.keys() | due.marts.keys())
        if found.marts.get(name) != due.marts.get(name)
    ]
    if found.landed != due.landed:
        told.append(f"landed: {sorted(set(found.landed) ^ set(due.landed))}")
    return told


# Readers


@contextlib.contextmanager
def readers(small: Small, count: int, seen: Seen) -> Iterator[None]:
    """Processes that poll what is published until the block ends."""
    stop = small.folder / "stop"
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.bench.crashes", "--read", str(small.folder)],
            cwd=settings.project_root(),
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(count)
    ]
    try:
        yield
    finally:
        stop.touch()
        try:
            answers = [process.communicate(timeout=60)[0] for process in processes]
            # One that was told to end together with this process has nothing to say.
            note(seen, [json.loads(answer) for answer in answers if answer])
        finally:
            for process in processes:
                process.kill()
                process.wait(timeout=30)


def note(seen: Seen, found: Sequence[dict[str, Any]]) -> None:
    """Adds what the readers of a home found; each refresh must have looked the same to all."""
    versions_seen: dict[str, set[str]] = {}
    for each in found:
        seen.reads += each["reads"]
        seen.errors += each["errors"]
        for refresh_id, marts in each["seen"]:
            versions_seen.setdefault(refresh_id, set()).add(marts)
    seen.torn += [
        f"{refresh_id} was seen with {len(marts)} different contents"
        for refresh_id, marts in versions_seen.items()
        if len(marts) > 1
    ]


def read(folder: Path) -> dict[str, Any]:
    """Polls until told to stop: which refresh the marts are of, and a checksum over all."""
    link = folder / "home" / "published" / versions.LINK
    seen: set[tuple[str, str]] = set()
    errors: list[str] = []
    reads = 0
    deadline = time.monotonic() + 6 * 3600
    while not (folder / "stop").exists() and time.monotonic() < deadline:
        time.sleep(READ_SECONDS)
        # Until the first refresh there is nothing; from then on there always is.
        if not reads and not link.is_symlink():
            continue
        reads += 1
        try:
            seen.add(look(link))
        except duckdb.Error as error:
            errors.append(f"{dt.datetime.now(dt.UTC):%H:%M:%S} {error!r}")
    return {"reads": reads, "errors": errors, "seen": sorted(seen)}


def look(link: Path) -> tuple[str, str]:
    """The refresh that the marts are of, and a checksum that spans all of them."""
    with duckdb.connect(str(link), read_only=True, config={"threads": 1}) as connection:
        newest = connection.execute(
            "select max(refresh_id) from refreshes where verdict = 'published'"
        ).fetchone()
        names = connection.execute("select table_name from duckdb_tables() order by 1").fetchall()
        sums = []
        for (name,) in names:
            if name not in OF_REFRESHES:
                every = f'select sum(hash("every column")) from {name} as "every column"'
                sums.append((name, connection.execute(every).fetchone()))
        return str(newest), repr(sums)


# The campaign


@dataclass
class Campaign:
    """How refreshes are started and killed.

    Attributes:
        folder: Where everything is made.
        deliveries: The files of the publisher, refresh by refresh.
        chance: Draws moments and kinds.
        start: Starts a refresh; see start_warm and start_light.
        cold: Share of refreshes that are started from nothing.
        alone: Share of kills that spare dbt.
        in_a_row: Most kills before an undisturbed refresh.
        reader_count: Readers at a time.
        say: Told what happens.
    """

    folder: Path
    deliveries: Sequence[Delivery]
    chance: random.Random
    start: Callable[[Small, Path], int]
    cold: float = 0
    alone: float = 0
    in_a_row: int = 1
    reader_count: int = 2
    say: Callable[[str], None] = print
    seen: Seen = field(default_factory=Seen)
    undisturbed: list[State] = field(default_factory=list)
    under_way: int | None = None
    usual: dict[bool, list[float]] = field(default_factory=lambda: {False: [], True: []})

    def run(self, kills: int) -> Seen:
        """Kills so many refreshes, home after home; each home ends with all deliveries."""
        self.learn()
        number = 0
        try:
            while sum(self.seen.kills.values()) < kills:
                number += 1
                small = Small(self.folder / f"killed-{number}", FEEDS)
                with readers(small, self.reader_count, self.seen):
                    self.refresh_all(small, kills)
                shutil.rmtree(small.folder)
        except KeyboardInterrupt:
            self.seen.is_whole = False
            if self.under_way is not None:
                kill(self.under_way, alone=False)
        return self.seen

    def learn(self) -> None:
        """What a publisher that nobody disturbs has after each delivery."""
        small = Small(self.folder / "undisturbed", FEEDS)
        for delivery in self.deliveries:
            deliver(small, delivery)
            self.finish(small, is_cold=False)
            self.undisturbed.append(state(small))

    def refresh_all(self, small: Small, kills: int) -> None:
        """Every delivery, its refreshes killed until one is let alone."""
        killed = 0
        for delivery, due in zip(self.deliveries, self.undisturbed, strict=True):
            deliver(small, delivery)
            for _ in range(self.chance.randint(1, self.in_a_row)):
                if sum(self.seen.kills.values()) < kills:
                    # One that ended before its moment leaves what a killed one may leave.
                    killed += self.kill_one(small)
            self.finish(small, is_cold=False)
            self.seen.undisturbed += 1
            found = state(small)
            at = f"{small.folder.name}, delivery {self.undisturbed.index(due) + 1}"
            differ = [f"{at}: {each}" for each in differences(found, due)]
            left = [f"{at}: {each}" for each in leftovers(found, due, killed)]
            self.seen.differences += differ
            self.seen.leftovers += left
            self.say(f"  then undisturbed, {at}: {differ + left or 'as due'}")

    def kill_one(self, small: Small) -> int:
        """Starts a refresh and kills it, unless it ends before its moment comes.

        Returns:
            How many refreshes may have left a report each: one, or with one beside dbt, two.
        """
        log = small.folder / "log"
        is_cold = self.chance.random() < self.cold
        alone = self.chance.random() < self.alone
        moment = self.chance.uniform(0, 1.05) * self.duration(is_cold)
        process = self.begin(small, log, is_cold)
        if ended(process, moment) is not None:
            self.under_way = None
            return 1
        kill(process, alone=alone)
        self.under_way = None
        step = under_way(log)
        self.seen.kills[step] += 1
        self.seen.spared += alone
        count = sum(self.seen.kills.values())
        self.say(f"kill {count} after {moment:.2f} s: {step}{', dbt spared' if alone else ''}")
        if alone:
            self.outlive(small, process)
        return 1 + alone

    def outlive(self, small: Small, group: int) -> None:
        """Refreshes while dbt lives on: that is refused, or it is published; then dbt ends."""
        log = small.folder / "log"
        code = ended(self.begin(small, log, is_cold=False), LONGEST_SECONDS)
        self.under_way = None
        if code == 3:
            self.seen.refused += 1
            self.say(f"  refused: {' '.join(log.read_text().split())[-400:]}")
        elif code != 0:
            self.seen.differences.append(f"beside dbt: exit code {code}: {log.read_text()[-600:]}")
        deadline = time.monotonic() + LONGEST_SECONDS
        while has_members(group) and time.monotonic() < deadline:
            time.sleep(0.1)

    def finish(self, small: Small, *, is_cold: bool) -> None:
        """A refresh that nobody kills; it must end well."""
        log = small.folder / "log"
        began = time.monotonic()
        process = self.begin(small, log, is_cold)
        code = ended(process, LONGEST_SECONDS)
        if code != 0:
            if code is None:
                kill(process, alone=False)
            told = log.read_text()[-2000:]
            raise RuntimeError(f"an undisturbed refresh ended with {code}: {told}")
        self.under_way = None
        self.seen.seconds.append(time.monotonic() - began)
        self.usual[is_cold].append(self.seen.seconds[-1])

    def begin(self, small: Small, log: Path, is_cold: bool) -> int:
        """Starts a refresh, from nothing or as usual."""
        self.under_way = (start_cold if is_cold else self.start)(small, log)
        return self.under_way

    def duration(self, is_cold: bool) -> float:
        """What a refresh took lately."""
        if is_cold and not self.usual[True]:
            small = Small(self.folder / "cold", FEEDS)
            deliver(small, self.deliveries[0])
            self.finish(small, is_cold=True)
            shutil.rmtree(small.folder)
        return statistics.median(self.usual[is_cold][-5:])


def main() -> int:
    """Runs a campaign, or one of its readers; 1 when anything was torn, lost or left."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--deliveries", type=int, default=5)
    parser.add_argument("--in-a-row", type=int, default=2)
    parser.add_argument("--readers", type=int, default=2)
    parser.add_argument("--cold", type=float, default=0.05)
    parser.add_argument("--alone", type=float, default=0.1)
    parser.add_argument("--light", action="store_true", help="without Dagster, dbt in process")
    parser.add_argument("--bare", action="store_true", help="without dbt and gates either")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--folder", type=Path, help="where to work (default: a temporary one)")
    parser.add_argument("--read", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.read:
        json.dump(read(asked.read), sys.stdout)
        return 0
    # Told to end, it reports what it has seen so far.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    folder = Path(tempfile.mkdtemp(dir=asked.folder))
    warm_up(is_light=asked.light, is_bare=asked.bare)
    campaign = Campaign(
        folder,
        deliveries(random.Random(asked.seed), asked.deliveries),  # noqa: S311
        random.Random(asked.seed),  # noqa: S311
        start_bare if asked.bare else start_light if asked.light else start_warm,
        cold=0 if asked.light or asked.bare else asked.cold,
        alone=0 if asked.light or asked.bare else asked.alone,
        in_a_row=asked.in_a_row,
        reader_count=asked.readers,
        say=(lambda line: None) if asked.json else partial(print, flush=True),
    )
    try:
        seen = campaign.run(asked.kills)
    finally:
        # What was killed last may still be ending.
        shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps({"seed": asked.seed, **seen.told()}, indent=1))
    return 0 if seen.is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
