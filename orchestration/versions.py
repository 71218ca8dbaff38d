"""The published versions of a home: make one, commit it, list them, go back to one.

Holds files, links and their durability. Whether a candidate may be published is the gate's
business (quality/gate.py); what its tables mean is dbt's. Nothing here takes the home's lock:
`commit` and `roll_back` are for whoever holds it. Readers need no lock.

A version is one file, `marts-<sequence>-<refresh_id>.duckdb`; `marts.duckdb` is a link to the
current one. Swapping that link is the publication, everything before it can be thrown away.
"""

import contextlib
import datetime as dt
import hashlib
import logging
import os
import re
import shutil
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from orchestration import settings
from orchestration.errors import ConfigurationError, RefusedError, SystemFailure

LINK = "marts.duckdb"
MARTS_SCHEMA = "marts"
# The marts that a refresh adds its own rows to after the gate has judged the others.
OPERATIONS = ("quality_results", "refreshes")
# DuckDB 2.0's own default can be opened by no older client; this one by 1.3 and later.
STORAGE_VERSION = "v1.2.0"
STORAGE_VERSION_NUMBER = 65
DEFAULT_KEEP = 5
DEFAULT_GRACE_SECONDS = 3600.0

# The link while it is being made. Its presence says that the version it names was never
# current, which is how an interrupted commit is told from a version somebody rolled back from.
_PENDING = ".marts.duckdb.next"
_RETURNING = ".marts.duckdb.back"
_VERSION_NAME = re.compile(r"marts-(?P<sequence>\d{6,})-(?P<refresh_id>.+)\.duckdb")
_REFRESH_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")

_AGAIN = "Put this right and run `arvo refresh` again."

_log = logging.getLogger(__name__)


class NothingPublishedError(SystemFailure):
    """The home has no published version yet."""


@dataclass(frozen=True)
class Version:
    """One published version of the marts.

    Attributes:
        sequence: Order of publishing; a later version has a larger one.
        refresh_id: The refresh that made it.
        path: Its file.
        is_current: Whether readers of the link get this one.
        published_at: When it was published (UTC).
    """

    sequence: int
    refresh_id: str
    path: Path
    is_current: bool
    published_at: dt.datetime


Content = dict[str, tuple[int, str]]


def write_candidate(warehouse: Path, candidate: Path, marts: Collection[str] | None = None) -> None:
    """Copy the warehouse's marts into a fresh file that could be published.

    Tables and views of the schema `marts` become tables of `main`, with their comments and
    with rows in the order of all their columns, so that equal marts give equal files. An
    earlier candidate is gone from the first moment on: if this fails there is none.

    Args:
        warehouse: dbt's database; no connection of this process may hold it for writing.
        candidate: The file to make.
        marts: Names of the marts there must be; others, such as the table of a model that
            was deleted since, stay out. None copies whatever the schema holds.

    Raises:
        RefusedError: The schema is empty or lacks one of `marts`.
        SystemFailure: The warehouse cannot be read or the candidate cannot be written.
    """
    partial = candidate.with_name(f"{candidate.name}.partial")
    spill = candidate.with_name(f"{candidate.name}.spill")
    with _explained(f"Copying the marts of {warehouse} to {candidate}"):
        _discard(candidate)
        _discard(partial)
        shutil.rmtree(spill, ignore_errors=True)
        candidate.parent.mkdir(parents=True, exist_ok=True)
        if not warehouse.is_file():
            raise FileNotFoundError(f"{warehouse} does not exist; the models have not run")
        try:
            _copy_marts(warehouse, partial, spill, marts)
            partial.replace(candidate)
        except BaseException:
            _discard(partial)
            raise


def append_operations(
    candidate: Path,
    refreshes: Sequence[Mapping[str, Any]],
    quality_results: Sequence[Mapping[str, Any]],
) -> None:
    """Add the running refresh's own rows to the operations marts of a judged candidate.

    Rows that an earlier call added for the same refresh are replaced.

    Args:
        candidate: The file that `write_candidate` made.
        refreshes: Rows by column name; every column of the mart, no other.
        quality_results: The same for the checks' results.

    Raises:
        SystemFailure: The candidate, one of the marts or a column is missing.
    """
    with _explained(f"Recording the refresh in {candidate}"):
        _require(candidate)
        with _open_for_writing(candidate) as connection:
            connection.execute("begin")
            _replace_rows(connection, "refreshes", refreshes)
            _replace_rows(connection, "quality_results", quality_results)
            connection.execute("commit")
            connection.execute("checkpoint")


def fingerprint(path: Path, without: Collection[str] = ()) -> Content:
    """What a file of marts holds: row count and hash by table, blind to the rows' order.

    Two files have equal fingerprints when their tables agree in name, columns, types and
    rows. Hashes may be compared only within one DuckDB version.

    Args:
        path: A candidate or a published version.
        without: Tables to leave out, such as `OPERATIONS`, which differ by refresh.

    Raises:
        SystemFailure: The file cannot be read.
    """
    with (
        _explained(f"Reading {path}", fix=""),
        duckdb.connect(str(path), read_only=True) as connection,
    ):
        connection.execute(settings.NO_PROGRESS_BAR)
        return _content(connection, without)


def commit(
    published: Path,
    candidate: Path,
    refresh_id: str,
    *,
    keep: int = DEFAULT_KEEP,
    grace_seconds: float = DEFAULT_GRACE_SECONDS,
    clock: Callable[[], float] = time.time,
) -> Version:
    """Make a judged candidate the current version, at once and durably.

    Killed at any point, it leaves either the version before or the new one, whole; running
    a refresh again clears what was left behind.

    Args:
        published: The folder of the versions; made when missing.
        candidate: The file to publish, on the same file system; it is moved.
        refresh_id: Letters, digits, dots, hyphens and underscores.
        keep: How many of the newest versions stay (never fewer than two).
        grace_seconds: How long a version stays in any case after it was last current, for
            readers who have resolved the link but not yet opened the file.
        clock: Seconds since the epoch.

    Returns:
        The new version.

    Raises:
        ValueError: The refresh id cannot be part of a file name.
        SystemFailure: The candidate is not fit to be read by others, or the disk refused.
    """
    if not _REFRESH_ID.fullmatch(refresh_id):
        raise ValueError(f"{refresh_id!r} cannot be part of a file name")
    with _explained(f"Publishing refresh {refresh_id} into {published}"):
        published.mkdir(parents=True, exist_ok=True)
        _clear_interrupted(published)
        try:
            content = _settle(candidate)
            path = published / _file_name(_next_sequence(published), refresh_id)
            _move_in(candidate, path)
            _verify(path, content)
            _swap(published, _PENDING)
        except (duckdb.Error, OSError, SystemFailure):
            # What was never current must not keep the room that a full disk lacks.
            with contextlib.suppress(OSError):
                _clear_interrupted(published)
            raise
    _prune(published, keep, grace_seconds, clock())
    return current(published)


def versions(published: Path) -> list[Version]:
    """The published versions, oldest first; none when nothing was published."""
    serving = _target(published / LINK)
    never_current = _target(published / _PENDING)
    found = [
        version
        for path in published.glob("marts-*.duckdb")
        if path.name != never_current or path.name == serving
        if (version := _version(path, serving)) is not None
    ]
    return sorted(found, key=lambda version: (version.sequence, version.path.name))


def current(published: Path) -> Version:
    """The version that readers get.

    Raises:
        NothingPublishedError: There is none yet.
        SystemFailure: The link leads nowhere, or is no link.
    """
    link = published / LINK
    if not link.is_symlink():
        raise _no_link(published)
    serving = _target(link)
    version = _version(published / str(serving), serving)
    if version is None:
        raise SystemFailure(
            f"{link} points to {serving}, which is no version in that folder. "
            f"{_listing(versions(published))} `arvo rollback REFRESH` returns to one of "
            "those, `arvo refresh` publishes anew."
        )
    return version


def roll_back(published: Path, to: str | None = None) -> Version:
    """Make an earlier version current again, or a later one by its name.

    Args:
        published: The folder of the versions.
        to: The refresh whose version shall be current; None is the one published before
            the current one.

    Returns:
        The version that is now current.

    Raises:
        NothingPublishedError: There is no version at all.
        ConfigurationError: There is no such version.
        SystemFailure: The version cannot be opened, or the disk refused.
    """
    every = versions(published)
    if not every:
        raise _no_link(published)
    chosen = _before_current(published, every) if to is None else _of_refresh(every, to)
    if not chosen.is_current:
        with _explained(f"Returning to {chosen.path}", fix="Choose another version."):
            duckdb.connect(str(chosen.path), read_only=True).close()
            _point(published / _RETURNING, chosen.path)
            _swap(published, _RETURNING)
    return current(published)


@contextlib.contextmanager
def _explained(action: str, fix: str = _AGAIN) -> Iterator[None]:
    try:
        yield
    except (duckdb.Error, OSError) as error:
        reason = " ".join(str(error).split())
        raise SystemFailure(f"{action} failed: {reason.rstrip('.')}. {fix}".rstrip()) from error


# Making a candidate


def _copy_marts(warehouse: Path, partial: Path, spill: Path, marts: Collection[str] | None) -> None:
    with duckdb.connect(
        config={
            "memory_limit": settings.memory_limit(),
            "threads": settings.threads(),
            "temp_directory": str(spill),
        }
    ) as connection:
        connection.execute(settings.NO_PROGRESS_BAR)
        # Views that dbt made name their database, which is called after its file.
        connection.execute(f"attach {_text(warehouse)} as warehouse (read_only)")
        connection.execute(
            f"attach {_text(partial)} as candidate (storage_version '{STORAGE_VERSION}')"
        )
        comments = _comments(connection)
        for mart in _chosen(connection, marts):
            _copy_mart(connection, mart, comments.get(mart, {}))
        connection.execute("checkpoint candidate")
        connection.execute("detach candidate")


def _chosen(connection: duckdb.DuckDBPyConnection, marts: Collection[str] | None) -> list[str]:
    rows = connection.execute(
        "select table_name from information_schema.tables "
        "where table_catalog = 'warehouse' and table_schema = ? order by table_name",
        [MARTS_SCHEMA],
    ).fetchall()
    there = [name for (name,) in rows]
    missing = sorted(set(marts or ()) - set(there))
    if missing or not there:
        raise RefusedError(
            f"The models made no {', '.join(missing) or 'mart at all'}, so there is nothing "
            "whole to publish; see the dbt results of this refresh."
        )
    return there if marts is None else [name for name in there if name in marts]


def _copy_mart(
    connection: duckdb.DuckDBPyConnection, mart: str, comments: Mapping[str | None, str]
) -> None:
    name = _name(mart)
    rows = f"select * from warehouse.{MARTS_SCHEMA}.{name} order by all"  # noqa: S608
    # In one transaction: on its own, each of many comments would wait for the disk.
    statements = ["begin", f"create table candidate.main.{name} as {rows}"]
    for column, comment in comments.items():
        kind, owner = ("table", name) if column is None else ("column", f"{name}.{_name(column)}")
        statements.append(f"comment on {kind} candidate.main.{owner} is {_text(comment)}")
    connection.execute("; ".join([*statements, "commit"]))


def _comments(connection: duckdb.DuckDBPyConnection) -> dict[str, dict[str | None, str]]:
    """Comments by mart: under None its own, under a column's name that of the column."""
    rows = connection.execute(
        """
        with described as (
            select database_name, schema_name, table_name, null as column_name, comment
            from duckdb_tables()
            union all
            select database_name, schema_name, view_name, null, comment
            from duckdb_views()
            union all
            select database_name, schema_name, table_name, column_name, comment
            from duckdb_columns()
        )
        select table_name, column_name, comment
        from described
        where database_name = 'warehouse' and schema_name = $schema and comment is not null
        """,
        {"schema": MARTS_SCHEMA},
    ).fetchall()
    found: dict[str, dict[str | None, str]] = {}
    for mart, column, comment in rows:
        found.setdefault(mart, {})[column] = comment
    return found


def _replace_rows(
    connection: duckdb.DuckDBPyConnection, mart: str, rows: Sequence[Mapping[str, Any]]
) -> None:
    columns = [name for name, _ in _columns(connection).get(mart, ())]
    for row in rows:
        if set(row) != set(columns):
            raise SystemFailure(
                f"The mart {mart} of the candidate has the columns {', '.join(columns)}, the "
                f"refresh has {', '.join(row)}; its model and the publish step must agree."
            )
    names = ", ".join(map(_name, columns))
    for refresh_id in {row["refresh_id"] for row in rows}:
        connection.execute(f"delete from {_name(mart)} where refresh_id = ?", [refresh_id])  # noqa: S608
    if rows:
        # One statement: DuckDB takes longer over a statement than over a row.
        marks = ", ".join(f"({', '.join('?' for _ in columns)})" for _ in rows)
        values = [_parameter(row[column]) for row in rows for column in columns]
        connection.execute(f"insert into {_name(mart)} ({names}) values {marks}", values)  # noqa: S608


def _parameter(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


# What a file holds


def _content(connection: duckdb.DuckDBPyConnection, without: Collection[str] = ()) -> Content:
    return {
        mart: _summary(connection, mart, columns)
        for mart, columns in _columns(connection).items()
        if mart not in without
    }


def _summary(
    connection: duckdb.DuckDBPyConnection, mart: str, columns: Sequence[tuple[str, str]]
) -> tuple[int, str]:
    # The alias is one that no column has: hash() of it is the hash of the whole row.
    row = connection.execute(
        f'select count(*), sum(hash("every column")) from {_name(mart)} as "every column"'  # noqa: S608
    ).fetchone()
    count, total = row if row is not None else (0, None)
    described = repr((columns, total))
    return count, hashlib.sha256(described.encode()).hexdigest()[:32]


def _columns(connection: duckdb.DuckDBPyConnection) -> dict[str, list[tuple[str, str]]]:
    """Names and types of the columns of each mart, in order."""
    rows = connection.execute(
        "select table_name, column_name, data_type from duckdb_columns() "
        "where schema_name = 'main' and database_name = current_database() "
        "order by table_name, column_index"
    ).fetchall()
    found: dict[str, list[tuple[str, str]]] = {}
    for mart, *column in rows:
        found.setdefault(mart, []).append(tuple(column))
    return found


# The steps of a commit


def _clear_interrupted(published: Path) -> None:
    """Remove what a commit that was killed has left: its version was never current."""
    never_current = _target(published / _PENDING)
    if never_current is not None and never_current != _target(published / LINK):
        (published / never_current).unlink(missing_ok=True)
    # The link goes last: without it the file would pass for a version.
    (published / _PENDING).unlink(missing_ok=True)
    (published / _RETURNING).unlink(missing_ok=True)


def _settle(candidate: Path) -> Content:
    """Bring the candidate to rest in one read-only file on the disk; what it holds."""
    _require(candidate)
    candidate.chmod(0o644)
    with _open_for_writing(candidate) as connection:
        content = _content(connection)
        connection.execute("force checkpoint")
    if not content:
        raise SystemFailure(f"{candidate} holds no table; a version without marts is none.")
    if _wal(candidate).exists():
        raise SystemFailure(
            f"{_wal(candidate)} is still there after the checkpoint, so another process is "
            "writing to the candidate; end it and run `arvo refresh` again."
        )
    _require_storage_version(candidate)
    os.utime(candidate)
    candidate.chmod(0o444)
    _flush(candidate)
    return content


def _move_in(candidate: Path, path: Path) -> None:
    """Give the candidate its place among the versions, marked as not yet current."""
    _point(path.parent / _PENDING, path)
    # The mark must be on the disk before what it marks.
    _flush(path.parent)
    candidate.rename(path)
    _flush(path.parent)


def _verify(path: Path, content: Content) -> None:
    if fingerprint(path) != content:
        raise SystemFailure(
            f"{path} read back differs from what was written, so it was not published. The "
            "disk or its controller is failing: check it before the next refresh."
        )


def _swap(published: Path, prepared: str) -> None:
    """Put a prepared link in the place of the one that readers follow."""
    retiring = _target(published / LINK)
    if retiring is not None and (published / retiring).exists():
        # Touches the inode: from now on the version's grace runs for those who just
        # resolved the link, however long ago it was published.
        (published / retiring).chmod(0o444)
    (published / prepared).replace(published / LINK)
    try:
        _flush(published)
    except OSError as error:
        # Readers follow the link already: what fails from here on undoes no publication. After
        # a power cut they may find the version before.
        _log.warning("%s could not be synced to disk: %s", published, error)


def _prune(published: Path, keep: int, grace_seconds: float, now: float) -> None:
    every = versions(published)
    # A reader may have resolved the link just before the swap: the two newest always stay.
    staying = {version.path for version in every[-max(keep, 2) :]}
    for version in every:
        if version.is_current or version.path in staying:
            continue
        try:
            touched = version.path.stat().st_ctime
            if touched > now:
                # The clock was set back since: when it was last current nobody knows, and
                # its grace begins anew.
                version.path.chmod(0o444)
            elif now - touched >= grace_seconds:
                version.path.unlink()
        except OSError as error:
            # The new version is published; the next commit tries again to remove this one.
            _log.warning("The old version %s could not be removed: %s", version.path, error)


# Versions by their names


def _file_name(sequence: int, refresh_id: str) -> str:
    return f"marts-{sequence:06d}-{refresh_id}.duckdb"


def _next_sequence(published: Path) -> int:
    return max((version.sequence for version in versions(published)), default=0) + 1


def _version(path: Path, serving: str | None) -> Version | None:
    """The version in a file; None when the name is no version's or the file is gone."""
    match = _VERSION_NAME.fullmatch(path.name)
    if match is None:
        return None
    try:
        modified = path.stat().st_mtime
    except FileNotFoundError:
        return None
    return Version(
        sequence=int(match["sequence"]),
        refresh_id=match["refresh_id"],
        path=path,
        is_current=path.name == serving,
        published_at=dt.datetime.fromtimestamp(modified, tz=dt.UTC),
    )


def _of_refresh(every: Sequence[Version], refresh_id: str) -> Version:
    found = [version for version in every if version.refresh_id == refresh_id]
    if not found:
        raise ConfigurationError(
            f"No published version comes from a refresh {refresh_id!r}. {_listing(every)}"
        )
    return found[-1]


def _before_current(published: Path, every: Sequence[Version]) -> Version:
    # The link's own text still tells the order when the file behind it is gone.
    match = _VERSION_NAME.fullmatch(_target(published / LINK) or "")
    if match is None:
        raise ConfigurationError(
            f"{published / LINK} names no version, so none is the one before it: name the "
            f"refresh to return to. {_listing(every)}"
        )
    before = [version for version in every if version.sequence < int(match["sequence"])]
    if not before:
        raise ConfigurationError(
            f"There is no version before the current one ({match['refresh_id']}). {_listing(every)}"
        )
    return before[-1]


def _listing(every: Sequence[Version]) -> str:
    if not every:
        return "There are no versions."
    named = ", ".join(
        f"{version.refresh_id} ({version.published_at:%Y-%m-%d %H:%M} UTC)"
        for version in reversed(every)
    )
    return f"There are, newest first: {named}."


def _no_link(published: Path) -> SystemFailure:
    link = published / LINK
    every = versions(published)
    if link.exists():
        return SystemFailure(
            f"{link} is a file of its own, not a link to a version; it was probably copied. "
            f"`arvo refresh` or `arvo rollback REFRESH` replaces it. {_listing(every)}"
        )
    if every:
        return SystemFailure(
            f"{link} is missing, though versions are there. {_listing(every)} "
            "`arvo rollback REFRESH` makes one of them current."
        )
    return NothingPublishedError(
        f"Nothing has been published in {published} yet: run `arvo refresh`, or name another "
        "home with --home."
    )


# Files and links


def _target(link: Path) -> str | None:
    """What a link says, whether or not that exists; None when there is no link."""
    try:
        return str(link.readlink())
    except OSError:
        return None


def _point(link: Path, path: Path) -> None:
    """Make a link beside its target; relative, so that a home can be moved."""
    link.unlink(missing_ok=True)
    link.symlink_to(path.name)


def _flush(path: Path) -> None:
    """Wait until a file, or a folder's entries, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _wal(path: Path) -> Path:
    return path.with_name(f"{path.name}.wal")


def _discard(path: Path) -> None:
    # A write-ahead log that stayed behind would be replayed into the next file of the name.
    path.unlink(missing_ok=True)
    _wal(path).unlink(missing_ok=True)


def _require(candidate: Path) -> None:
    # Opening a missing file would make an empty one, in a format of its own.
    if not candidate.is_file():
        raise FileNotFoundError(f"{candidate} does not exist")


def _require_storage_version(candidate: Path) -> None:
    with candidate.open("rb") as file:
        number = int.from_bytes(file.read(20)[12:20], "little")
    if number != STORAGE_VERSION_NUMBER:
        raise SystemFailure(
            f"{candidate} is in DuckDB storage version {number}, not "
            f"{STORAGE_VERSION_NUMBER} ({STORAGE_VERSION}): analysts' clients could not open "
            "it. Only write_candidate makes files that may be published."
        )


def _open_for_writing(path: Path) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(str(path), config={"memory_limit": settings.memory_limit()})
    connection.execute(settings.NO_PROGRESS_BAR)
    return connection


def _name(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'


def _text(value: object) -> str:
    return "'" + str(value).replace("'", "''") + "'"
