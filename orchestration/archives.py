"""Many small batches in one folder, so that hourly files cost no more than monthly ones.

An archive is a folder of landing beside the batches: its rows name the batch they came with, and
its list holds the manifests of all of them (batches.py reads it). One rename commits it, and only
then are the folders of its batches removed: whoever lists the batches finds the same ones before,
between and after. Which batches count, and how they are written, is batches.py's.
"""

import hashlib
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import duckdb

from orchestration import batches, landing, warehouse
from orchestration.batches import Archive, Manifest, Part
from orchestration.contracts import Contract, contracts
from orchestration.errors import SystemFailure
from orchestration.settings import Home
from orchestration.sources.files import literal

# So many small batches of a feed are worth an archive; fewer are left alone.
BATCHES_AT_ONCE = 200
# A batch of so many rows is none of the small ones.
SMALL_ROWS = 100_000


def archive_small(home: Home, feed: str, at_once: int = BATCHES_AT_ONCE) -> str | None:
    """Puts a feed's small batches into an archive when there are many; its name, if it did.

    For whoever holds the home's lock.

    Raises:
        SystemFailure: The archive does not hold what the batches hold; they stay as they are.
    """
    small = [
        m
        for m in batches.committed(home, feed)
        if m.archive is None and m.landed_count < SMALL_ROWS
    ]
    if len(small) < at_once:
        return None
    return write(home, feed, small, (m.batch_id for m in small))


def discard(home: Home, manifest: Manifest) -> None:
    """Takes a batch out of landing, out of its archive if one holds it.

    Killed on the way, it leaves the batch where it was or takes it out; it can be run again.
    """
    archive = manifest.archive
    if archive is None:
        batches.discard(home, manifest)
        return
    batches.clear_replaced(home, manifest.feed)
    _copy_out(home, manifest)
    members = [m for m in batches.committed(home, manifest.feed) if m.archive == archive]
    rest = [m for m in members if m.batch_id != manifest.batch_id]
    if rest:
        write(home, manifest.feed, rest, [archive.name])
    else:
        # Renamed first: killed while it is removed, half an archive must not be taken for one.
        folder = batches.incoming(home, manifest.feed, archive.name)
        (home.landing / manifest.feed / archive.name).rename(folder)
        shutil.rmtree(folder)


def _copy_out(home: Home, manifest: Manifest) -> None:
    """An archived batch as a folder and a quarantine file of its own, among the discarded."""
    target = home.discarded / manifest.feed / manifest.batch_id
    if target.exists():
        return
    contract = contracts()[manifest.feed]
    folder = batches.incoming(home, manifest.feed, manifest.batch_id)
    with landing.workspace(home, manifest.feed) as (connection, _):
        parts = _write_rows(connection, home, contract, [manifest], folder, keep_batch=False)
        bad = home.quarantine / manifest.feed / f"{manifest.batch_id}.parquet"
        bad.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _write_quarantine(connection, home, [manifest], bad)
    batches.seal(folder, batches.MANIFEST, replace(manifest, parts=parts).to_json())
    target.parent.mkdir(parents=True, exist_ok=True)
    folder.rename(target)
    batches.sync(target.parent)


def write(home: Home, feed: str, members: Sequence[Manifest], replaced: Iterable[str]) -> str:
    """Writes an archive of these batches, commits it, and removes the folders it replaces.

    Args:
        home: The home.
        feed: Their feed.
        members: The batches.
        replaced: Names of the folders, of batches or archives, that it takes the place of.

    Returns:
        The archive's name: a digest of its batches' names.
    """
    replaced = sorted(replaced)
    ids = sorted(m.batch_id for m in members)
    name = hashlib.sha256("\n".join(["archive", feed, *ids]).encode()).hexdigest()[:32]
    contract = contracts()[feed]
    folder = batches.incoming(home, feed, name)
    with landing.workspace(home, feed) as (connection, _):
        parts = _write_rows(connection, home, contract, members, folder)
        _write_quarantine(connection, home, members, folder / batches.QUARANTINE)
        written = [replace(m, archive=Archive(folder.name, parts), parts=()) for m in members]
        _compare(connection, home, contract, members, written)
    listed = batches.archive_json(parts, replaced, [replace(m, parts=()) for m in members])
    batches.seal(folder, batches.ARCHIVE, listed)
    target = home.landing / feed / name
    folder.rename(target)
    batches.sync(target.parent)
    batches.clear_replaced(home, feed)
    return name


def _write_rows(
    connection: duckdb.DuckDBPyConnection,
    home: Home,
    contract: Contract,
    members: Sequence[Manifest],
    folder: Path,
    *,
    keep_batch: bool = True,
) -> tuple[Part, ...]:
    rows = warehouse.feed_sql(contract, home, members)
    left_out = "" if keep_batch else "exclude (batch_id)"
    options = "format parquet, compression zstd, return_stats true"
    target = folder / "part.parquet"
    if contract.is_partitioned_by_day:
        target = folder
        options += ", partition_by (day), write_partition_columns true, overwrite_or_ignore true"
        connection.execute("set preserve_insertion_order = false")
        connection.execute("set partitioned_write_max_open_files = 400")
    written = connection.execute(
        f"copy (select * {left_out} from ({rows})) to {literal(str(target))} ({options})"
    ).fetchall()
    found = [landing.part(folder, Path(row[0]), int(row[1])) for row in written]
    return tuple(sorted(found, key=lambda part: part.name))


def _write_quarantine(
    connection: duckdb.DuckDBPyConnection, home: Home, members: Sequence[Manifest], path: Path
) -> None:
    """The bad rows of the batches, if there are any."""
    query = batches.quarantine_sql(home, members)
    if query is not None:
        connection.execute(
            f"copy ({query}) to {literal(str(path))} (format parquet, compression zstd)"
        )


def _compare(
    connection: duckdb.DuckDBPyConnection,
    home: Home,
    contract: Contract,
    members: Sequence[Manifest],
    written: Sequence[Manifest],
) -> None:
    """Reads the archive again and holds it against the batches, row by row in sum."""
    queries = [
        "select batch_id, count(*), sum(hash(rows)) from "
        f"({warehouse.feed_sql(contract, home, some)}) as rows group by batch_id"
        for some in (members, written)
    ]
    held, archived = (sorted(connection.execute(query).fetchall()) for query in queries)
    expected = sorted((m.batch_id, m.landed_count) for m in members if m.landed_count)
    if held != archived or [row[:2] for row in archived] != expected:
        raise SystemFailure(
            f"the archive of {len(members)} batches of {contract.feed} does not hold what they "
            "hold; they stay as they are. A landed file may be damaged: `arvo refresh --full` "
            "reads them all and names it."
        )
