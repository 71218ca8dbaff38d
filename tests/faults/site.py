"""The demo, published and two days behind: what the faults spoil, and how it is then refreshed.

The refresh here runs the steps of `arvo refresh` without Dagster, and ends where the fault must
have been met, because a whole one takes seconds. What is spoiled, and what must come of it, is
the catalogue's.
"""

import csv
import datetime as dt
import gzip
import hashlib
import io
import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest
import yaml

from orchestration import (
    batches,
    goals,
    initiatives,
    publisher,
    reading,
    refresh,
    reports,
    settings,
    versions,
)
from orchestration.batches import Manifest
from orchestration.demo import make_demo
from orchestration.errors import ArvoError
from orchestration.refresh import Refresh
from orchestration.settings import Home
from tests.refresh.small import build

# How far a refresh goes: until the step that must meet the fault has run.
CHECK, LAND, GATE_IN, PUBLISH, WHOLE, TOGETHER, READ = (
    "check",
    "land",
    "gate in",
    "publish",
    "whole refresh",
    "whole refresh with others",
    "read",
)
LAST_DAY = dt.date(2026, 6, 30)
DAYS = 33
SCALE = 0.035
# A feed of 20 rows would be refused for one that is bad: what these faults are about is the row.
TOLERANT = 0.2
STRICT_FEEDS = ("events", "payments")
# The file of a feed that faults are put into, and how it is written.
FILES = {
    "events": "events/2026-06-29.parquet",
    "content": "content.jsonl.gz",
    "accounts": "accounts.jsonl",
    "subscriptions": "subscriptions.csv.gz",
    "payments": "payments.csv",
    "ad_revenue": "ad_revenue/2026-06.csv",
    "surveys": "surveys.csv",
    "feedback": "feedback.jsonl",
    "referrals": "referrals.jsonl",
    "mentions": "mentions.jsonl",
    "costs": "costs.csv",
    "exchange_rates": "exchange_rates.csv",
    "consents": "consents.csv",
    "erasures": "erasures.csv",
    "initiative_members": "initiative_members.csv",
}
DELIMITERS = {"subscriptions": ";", "surveys": ";"}
ENCODINGS = {"surveys": "cp1252"}
Row = dict[str, Any]


@dataclass(frozen=True)
class Met:
    """What came of a refresh.

    Attributes:
        run: The refresh; None when it could not begin.
        error: What ended it, or None.
        said: The lines it told on the way.
    """

    run: Refresh | None
    error: ArvoError | None
    said: tuple[str, ...] = ()

    @property
    def new(self) -> list[Manifest]:
        """Batches that landed."""
        return self.run.new_batches if self.run else []

    @property
    def warnings(self) -> list[str]:
        """Suite, check, reason and observation of every warning."""
        verdicts = self.run.verdicts if self.run else []
        return [
            f"{r.suite}, {r.check_name}: {r.reason} Observed {r.observed}, expected {r.expected}. "
            f"{', '.join(r.offending_keys)}"
            for verdict in verdicts
            for r in verdict.results
            if not r.is_passed and r.severity == "warning"
        ]


class Site:
    """The demo's source files, configuration and home in one folder, as often as it is wanted.

    Attributes:
        source: The demo's files; those of the last two days wait in `late`.
        path: Its publisher.yml.
        patch: For faults of the code; undone after each.
        condition: What the machine is like while the refresh runs.
    """

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        """Makes the demo and publishes all but its last two days."""
        self.folder = folder / "site"
        self.pristine = folder / "pristine"
        self.home = Home(self.folder / "home")
        self.source = self.home.root / "source"
        self.late = self.folder / "late"
        self.path = self.folder / "publisher.yml"
        self.patch = patch
        self.condition: AbstractContextManager[object] = nullcontext()
        patch.setenv("ARVO_HOME", str(self.home.root))
        patch.delenv("ARVO_PSEUDONYM_KEY", raising=False)
        make_demo(self.source, scale=SCALE, days=DAYS, last_day=LAST_DAY)
        self._age_files()
        self._hold_back_two_days()
        self._write_publisher()
        met = self.refreshed(WHOLE, tests=False)
        assert met.error is None, met.error
        self._tell_of_the_first_refresh()
        shutil.copytree(self.folder, self.pristine, symlinks=True)

    def _age_files(self) -> None:
        """Two days old, so that what is written later is younger."""
        for path in self.source.rglob("*.*"):
            at = path.stat().st_mtime - 2 * 86_400
            os.utime(path, (at, at))

    def _hold_back_two_days(self) -> None:
        self.late.mkdir()
        for path in sorted((self.source / "events").iterdir())[-2:]:
            path.rename(self.late / path.name)

    def _write_publisher(self) -> None:
        demo = settings.project_root() / "publishers" / "demo" / "publisher.yml"
        stated = yaml.safe_load(demo.read_text())
        for feed, entry in stated["feeds"].items():
            if feed not in STRICT_FEEDS:
                entry["tolerated_bad_share"] = TOLERANT
        self.path.write_text(yaml.safe_dump(stated, sort_keys=False))
        for name in (goals.FILE, initiatives.FILE):
            shutil.copyfile(demo.parent / name, self.folder / name)

    def _tell_of_the_first_refresh(self) -> None:
        """What a second build would know: without it the marts would tell of no refresh."""
        with duckdb.connect(str(self.home.warehouse)) as connection:
            connection.execute(f"attach '{self.current()}' as published (read_only)")
            for mart in versions.OPERATIONS:
                connection.execute(f"insert into marts.{mart} from published.main.{mart}")

    # As it was

    def restore(self) -> None:
        """Everything as it was when the demo was published."""
        self.condition = nullcontext()
        wanted, found = _state(self.pristine), _state(self.folder)
        for name in sorted(found, reverse=True):
            if found[name] != wanted.get(name):
                _remove(self.folder / name)
        for name in sorted(wanted):
            if found.get(name) != wanted[name]:
                _copy(self.pristine / name, self.folder / name)

    def arrive(self) -> None:
        """The last two days of events, in the folder of the others."""
        for path in sorted(self.late.iterdir()):
            path.rename(self.source / "events" / path.name)

    # Spoiling

    def file(self, feed: str) -> Path:
        """The file of a feed that faults are put into; the events' is the last day but one."""
        if feed == "events":
            self.arrive()
        return self.source / FILES[feed]

    def write(self, path: Path, content: bytes) -> None:
        """A source file written anew, a day younger than the others."""
        if path.suffix == ".gz":
            content = gzip.compress(content, mtime=0)
        at = path.stat().st_mtime + 86_400 if path.exists() else None
        path.write_bytes(content)
        if at is not None:
            os.utime(path, (at, at))

    def content(self, feed: str) -> bytes:
        """What the feed's file holds, unpacked."""
        path = self.file(feed)
        return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()

    def edit(self, feed: str, edited: Callable[[bytes], bytes]) -> None:
        """The feed's file with its bytes changed."""
        self.write(self.file(feed), edited(self.content(feed)))

    def rows(self, feed: str) -> list[Row]:
        """The rows of the feed's file, by the source's own column names."""
        path = self.file(feed)
        if path.suffix == ".parquet":
            return list(pq.read_table(path).to_pylist())
        text = self.content(feed).decode(ENCODINGS.get(feed, "utf-8"))
        if ".jsonl" in path.name:
            return [json.loads(line) for line in text.splitlines()]
        return list(csv.DictReader(io.StringIO(text), delimiter=DELIMITERS.get(feed, ",")))

    def add(self, feed: str, *changed: Mapping[str, Any]) -> None:
        """Copies of the feed's first row, which is a good one, with these values changed."""
        first = self.rows(feed)[0]
        self.append(feed, [{**first, **each} for each in changed])

    def append(self, feed: str, rows: list[Row]) -> None:
        """The feed's file with these rows at its end."""
        self.replace(feed, self.rows(feed) + rows)

    def replace(self, feed: str, rows: list[Row]) -> None:
        """The feed's file with these rows instead of its own."""
        path = self.file(feed)
        if path.suffix == ".parquet":
            import pyarrow as pa

            schema = pq.read_schema(path)
            pq.write_table(pa.Table.from_pylist(rows, schema), path)
            return
        if ".jsonl" in path.name:
            text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        else:
            out = io.StringIO()
            columns = self.rows(feed)[0]
            writer = csv.DictWriter(
                out, columns, delimiter=DELIMITERS.get(feed, ","), lineterminator="\n"
            )
            writer.writeheader()
            writer.writerows(rows)
            text = out.getvalue()
        self.write(path, text.encode(ENCODINGS.get(feed, "utf-8")))

    def remake(self, select: str, path: Path | None = None) -> None:
        """A day of events, else the last but one, as a query over it, `events`, returns it."""
        path = path or self.file("events")
        working = path.with_suffix(".working")
        with duckdb.connect() as connection:
            connection.execute(f"create view events as from read_parquet('{path}')")
            connection.execute(f"copy ({select}) to '{working}' (format parquet)")
        working.replace(path)

    def configure(self, *keys: str, value: object) -> None:
        """publisher.yml with the value under these keys changed."""
        stated = yaml.safe_load(self.path.read_text())
        inner = stated
        for key in keys[:-1]:
            inner = inner.setdefault(key, {})
        inner[keys[-1]] = value
        self.path.write_text(yaml.safe_dump(stated, sort_keys=False, allow_unicode=True))

    def warehouse(self, sql: str) -> None:
        """A statement on the warehouse, where the models left what is to be published."""
        with duckdb.connect(str(self.home.warehouse)) as connection:
            connection.execute(sql)

    def forget(self, feed: str) -> None:
        """Landing as if the feed had never brought a file."""
        shutil.rmtree(self.home.landing / feed)

    def batch(self, feed: str) -> Path:
        """The folder of a feed's first landed batch."""
        return sorted(path.parent for path in (self.home.landing / feed).glob("*/manifest.json"))[0]

    # Refreshing

    def refreshed(self, until: str, *, tests: bool = True) -> Met:
        """A refresh that goes as far as it must; the errors it explains are kept."""
        said: list[str] = []
        run: Refresh | None = None
        try:
            if until == READ:
                reading.deliver(
                    self.home.published,
                    "select count(*) as customers from customers",
                    "csv",
                    self.folder / "read.csv",
                )
                return Met(None, None)
            stated = publisher.load(self.path)
            with (
                self.condition,
                refresh.opened(self.home, stated, say=said.append) as run,
            ):
                self._step(run, until, tests)
        except ArvoError as error:
            return Met(run, error, tuple(said))
        return Met(run, None, tuple(said))

    def _step(self, run: Refresh, until: str, tests: bool) -> None:
        if until in (LAND, GATE_IN, WHOLE):
            for feed in run.publisher.feeds:
                refresh.land(run, feed)
        if until in (GATE_IN, WHOLE) and refresh.has_work(run):
            planned = refresh.prepare_models(run)
            refresh.gate_in(run)
            if until == WHOLE:
                build(run, is_full=planned.is_full, tests=tests)
        if until in (PUBLISH, WHOLE) and run.verdict == reports.RUNNING:
            refresh.publish(run)
        elif run.verdict == reports.RUNNING:
            # The rest of the steps is left out; nothing has failed.
            run.verdict = reports.NOTHING_NEW

    def built(self, sql: str) -> list[tuple[Any, ...]]:
        """What a query over the models returns."""
        with duckdb.connect(str(self.home.warehouse), read_only=True) as connection:
            return connection.execute(sql).fetchall()

    # What readers have

    def published(self) -> dict[str, str]:
        """What readers may open: where the link leads, and every version with its digest."""
        link = self.home.published / versions.LINK
        found = {v.path.name: digest(v.path) for v in versions.versions(self.home.published)}
        return found | {link.name: str(link.readlink()) if link.is_symlink() else digest(link)}

    def current(self) -> Path:
        """The file that readers get."""
        return versions.current(self.home.published).path

    def marts(self, sql: str) -> list[tuple[Any, ...]]:
        """What a query over the published marts returns."""
        with duckdb.connect(str(self.current()), read_only=True) as connection:
            return connection.execute(sql).fetchall()

    def landed(self, met: Met, feed: str, select: str) -> list[tuple[Any, ...]]:
        """What a query over the newly landed rows of a feed, `landed`, returns."""
        parts = [
            str(self.home.landing / feed / m.batch_id / part.name)
            for m in met.new
            if m.feed == feed
            for part in m.parts
        ]
        with duckdb.connect() as connection:
            connection.execute(f"create view landed as from read_parquet({parts})")
            return connection.execute(select).fetchall()

    def manifests(self) -> dict[str, Manifest]:
        """Every landed batch, by the name of its file; of several the last."""
        return {
            manifest.source_name: manifest
            for feed in FILES
            for manifest in batches.committed(self.home, feed)
        }

    def quarantined(self, *manifests: Manifest) -> Counter[tuple[str, str]]:
        """Reasons and source of the rows that batches have in quarantine, counted."""
        paths = [
            str(self.home.quarantine / m.feed / f"{m.batch_id}.parquet")
            for m in manifests
            if m.quarantined_count
        ]
        if not paths:
            return Counter()
        with duckdb.connect() as connection:
            rows = connection.execute(
                f"select array_to_string(reasons, '; '), source from read_parquet({paths})"
            ).fetchall()
        return Counter(rows)


def _state(folder: Path) -> dict[str, tuple[int, int, int]]:
    """Kind, size and time of everything in a folder; of folders the kind alone."""
    found = {}
    for path in folder.rglob("*"):
        stat = path.lstat()
        is_folder = path.is_dir() and not path.is_symlink()
        size, time = (0, 0) if is_folder else (stat.st_size, stat.st_mtime_ns)
        found[str(path.relative_to(folder))] = (stat.st_mode, size, time)
    return found


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _copy(path: Path, to: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        to.mkdir()
        shutil.copystat(path, to)
    else:
        shutil.copy2(path, to, follow_symlinks=False)


def digest(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
