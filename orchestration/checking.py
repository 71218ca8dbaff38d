"""`arvo check`: the configuration held against its sources, with nothing written.

Holds what can only be judged with the source at hand, and a sample of what rows become. What
the text of publisher.yml alone gives away is publisher.py's.
"""

import datetime as dt
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import duckdb

from orchestration import landing, publisher, settings
from orchestration.errors import ArvoError
from orchestration.publisher import FeedConfig
from orchestration.sources import files
from orchestration.sources.files import Relation

SAMPLE_ROWS = 3
# Looked at for the sample and its bad rows; a check of a large file stays quick.
READ_ROWS = 10_000


@dataclass(frozen=True)
class Sample:
    """What the first rows of a feed's newest file become.

    Raw values: a check is for whoever may read the source; nothing of it is kept.
    """

    feed: str
    file: Path
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    ignored_columns: tuple[str, ...]
    bad: tuple[tuple[str, int], ...]
    seen_count: int


@dataclass(frozen=True)
class Report:
    """Every problem of a configuration, and a sample of each feed that has none."""

    problems: tuple[str, ...]
    samples: tuple[Sample, ...]


def check(path: Path) -> Report:
    """Holds publisher.yml against the files it names; writes nothing but a temporary folder."""
    draft = publisher.read(path)
    problems = list(draft.problems)
    samples = []
    for config in draft.feeds.values():
        found, sample = check_feed(config)
        problems += found
        samples += [sample] if sample else []
    return Report(tuple(problems), tuple(samples))


def check_feed(config: FeedConfig) -> tuple[list[str], Sample | None]:
    """Problems of one feed with its newest file, or a sample of its rows."""
    with _newest(config) as (connection, relation, path, found):
        if relation is None or path is None:
            return found, None
        found = landing.mapping_problems(connection, config, relation, path)
        if found:
            return found, None
        try:
            return [], _sample(connection, config, relation, path)
        except duckdb.Error as error:
            return [_unreadable(config, path, error)], None


def problems(config: FeedConfig, folder: Path | None = None) -> list[str]:
    """Problems of one feed's mapping with its newest file; reads no rows.

    Args:
        config: The feed's source and mapping.
        folder: Where to work; the system's folder for temporary files by default.
    """
    with _newest(config, folder) as (connection, relation, path, found):
        if relation is None or path is None:
            return found
        return landing.mapping_problems(connection, config, relation, path)


@contextmanager
def _newest(
    config: FeedConfig, folder: Path | None = None
) -> Iterator[tuple[duckdb.DuckDBPyConnection, Relation | None, Path | None, list[str]]]:
    """The newest file of a feed opened, or the problems that keep it shut."""
    paths = files.find(config.files)
    path = max(paths, key=lambda each: (each.stat().st_mtime_ns, str(each)), default=None)
    with tempfile.TemporaryDirectory(dir=folder) as scratch, duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(settings.NO_PROGRESS_BAR)
        if path is None:
            yield connection, None, None, [landing.no_file(config)]
            return
        try:
            relation = files.relation(connection, path, config.options, Path(scratch))
        except ArvoError as error:
            yield connection, None, path, [f"feed '{config.feed}': {error}"]
            return
        yield connection, relation, path, []


def _unreadable(config: FeedConfig, path: Path, error: Exception) -> str:
    told = str(error).strip().splitlines()[0]
    return f"feed '{config.feed}': {path} cannot be read ({told}). Check the file and options."


def lines(report: Report) -> Iterator[str]:
    """The samples, for people."""
    for sample in report.samples:
        yield f"{sample.feed}: {sample.file}"
        if sample.ignored_columns:
            yield f"  not read: {', '.join(sample.ignored_columns)}"
        for kind, count in sample.bad:
            yield f"  bad in the first {sample.seen_count:,} rows: {count:,} × {kind}"
        for row in sample.rows:
            pairs = zip(sample.columns, row, strict=True)
            shown = ", ".join(f"{name}={value}" for name, value in pairs if value is not None)
            yield f"  {shown}"


def plain(report: Report) -> dict[str, Any]:
    """The report as plain values, for machines."""
    return asdict(report)


def _sample(
    connection: duckdb.DuckDBPyConnection,
    config: FeedConfig,
    relation: Relation,
    path: Path,
) -> Sample:
    mapped = landing.mapped_columns(config, relation)
    now = dt.datetime.now(dt.UTC).replace(tzinfo=None)
    connection.execute(
        f"create temp table seen as {landing.staging_sql(config, relation, mapped, now)} "
        f"limit {READ_ROWS}"
    )
    names = [m.column.name for m in mapped if m.expression]
    rows = connection.execute(
        f"select {', '.join(names)} from seen where not __is_filtered and __reasons is null "
        f"limit {SAMPLE_ROWS}"
    ).fetchall()
    bad = connection.execute(
        f"""select {landing.KIND_OF_REASON} as kind, count(*) from (
                select unnest(__reasons) as reason from seen where __reasons is not null
            ) group by kind order by count(*) desc, kind"""
    ).fetchall()
    count = connection.execute("select count(*) from seen").fetchone()
    return Sample(
        feed=config.feed,
        file=path,
        columns=tuple(names),
        rows=tuple(rows),
        ignored_columns=_ignored(connection, config, relation, mapped),
        bad=tuple(bad),
        seen_count=count[0] if count else 0,
    )


def _ignored(
    connection: duckdb.DuckDBPyConnection,
    config: FeedConfig,
    relation: Relation,
    mapped: Sequence[landing.Mapped],
) -> tuple[str, ...]:
    read = landing.read_columns(connection, config, relation, list(mapped))
    return tuple(name for name in relation.columns if name not in read)
