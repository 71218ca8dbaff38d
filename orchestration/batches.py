"""Landing's store: committed batches, their manifests, and the moves between folders.

A batch is a directory; renaming it into place is the commit. Reading sources and judging rows
is landing.py's business; what the models see of the batches is warehouse.py's.
"""

import datetime as dt
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from orchestration.errors import ConfigurationError, SystemFailure
from orchestration.settings import Home

T = TypeVar("T")

MANIFEST = "manifest.json"
# The list of an archive (archives.py), and its batches' bad rows.
ARCHIVE = "archive.json"
QUARANTINE = "quarantine.parquet"
INCOMING = ".incoming"
# How files in quarantine are called while they are written: by landing, by DuckDB.
HALF_WRITTEN = (".", "tmp_")


@dataclass(frozen=True)
class Part:
    """One Parquet file of a batch, by its name inside the batch's folder."""

    name: str
    row_count: int
    sha256: str
    day: dt.date | None = None


@dataclass(frozen=True)
class Archive:
    """The folder that holds a batch's rows together with those of others.

    Attributes:
        name: The folder's, in the feed's.
        parts: Its files; their rows name their batch.
    """

    name: str
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Manifest:
    """What a batch holds and where it came from.

    Attributes:
        source_sha256: Digest of the bytes that were read.
        mapping: Fingerprint of the mapping the rows were read with.
        columns: Source columns the mapping read.
        ignored_columns: Source columns nobody asked for.
        read_count: Rows of the source; = landed + quarantined + filtered (by `where`).
        days: Local day → landed rows, by the contract's time column.
        last_day: Latest local day of a thing that happened, or None for timeless rows.
        parts: Its files, unless an archive holds its rows.
        archive: The archive that does.
    """

    batch_id: str
    feed: str
    source_name: str
    source_path: str
    source_size: int
    source_modified_ns: int
    source_sha256: str
    mapping: str
    columns: tuple[str, ...]
    ignored_columns: tuple[str, ...]
    read_count: int
    landed_count: int
    quarantined_count: int
    filtered_count: int
    days: dict[dt.date, int]
    last_day: dt.date | None
    parts: tuple[Part, ...]
    archive: Archive | None = None

    @property
    def first_day(self) -> dt.date | None:
        """Earliest local day of the batch's rows."""
        return min(self.days, default=None)

    def to_json(self) -> str:
        """The manifest as it is written beside the rows."""
        return json.dumps(self.stated(), indent=1, sort_keys=True) + "\n"

    def stated(self) -> dict[str, Any]:
        """The manifest as JSON holds it; where its rows lie is not part of it."""
        return {k: v for k, v in _jsonable(asdict(self)).items() if k != "archive"}

    @classmethod
    def from_json(cls, text: str) -> "Manifest":
        """The manifest in a text that `to_json` wrote."""
        return cls.from_stated(json.loads(text))

    @classmethod
    def from_stated(cls, stated: dict[str, Any]) -> "Manifest":
        """The manifest that `stated` gave."""
        stated["columns"] = tuple(stated["columns"])
        stated["ignored_columns"] = tuple(stated["ignored_columns"])
        stated["days"] = {
            dt.date.fromisoformat(day): count for day, count in stated["days"].items()
        }
        stated["last_day"] = _day(stated["last_day"])
        stated["parts"] = _parts(stated["parts"])
        return cls(**stated)


def batch_id(feed: str, sha256: str, mapping: str, revision: str = "") -> str:
    """Name of the batch that a file's bytes, read with a mapping, make.

    Args:
        feed: Name of the feed.
        sha256: Digest of the file's bytes.
        mapping: Fingerprint of the mapping.
        revision: Tells apart the same bytes coming back after a different version; "" at first.
    """
    text = "\n".join((feed, sha256, mapping, revision))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def committed(home: Home, feed: str) -> list[Manifest]:
    """Manifests of a feed's batches, ordered by batch id.

    Raises:
        SystemFailure: A batch's manifest cannot be read.
    """
    folder = home.landing / feed
    replaced: set[str] = set()
    archived: list[tuple[str, list[Manifest]]] = []
    for path in sorted(folder.glob(f"[!.]*/{ARCHIVE}")):
        names, members = _read(path, _members)
        replaced |= names
        archived.append((path.parent.name, members))
    loose = [m for m in _manifests(folder) if m.batch_id not in replaced]
    found = loose + [m for name, ms in archived if name not in replaced for m in ms]
    return sorted(found, key=lambda manifest: manifest.batch_id)


def discarded(home: Home, feed: str) -> list[Manifest]:
    """Manifests of the batches that were taken out; their files are not read again."""
    return _manifests(home.discarded / feed)


def active(home: Home, feed: str, mapping: str | None) -> list[Manifest]:
    """The batches that count: all but those whose file was read anew with the present mapping."""
    manifests = committed(home, feed)
    anew = {(m.source_path, m.source_sha256) for m in manifests if m.mapping == mapping}
    return [
        m for m in manifests if m.mapping == mapping or (m.source_path, m.source_sha256) not in anew
    ]


def incoming(home: Home, feed: str, name: str) -> Path:
    """An empty private folder to write a batch in, on the file system it is committed to."""
    folder = home.landing / feed / f"{INCOMING}-{name}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o700)
    return folder


def commit(home: Home, folder: Path, manifest: Manifest) -> None:
    """Makes a written batch part of landing, by one rename after everything is on disk."""
    seal(folder, MANIFEST, manifest.to_json())
    target = home.landing / manifest.feed / manifest.batch_id
    folder.rename(target)
    sync(target.parent)
    # The feed's folder may be as new as the batch.
    sync(home.landing)


def seal(folder: Path, name: str, text: str) -> None:
    """Writes the last file of a folder and forces all of it to disk."""
    (folder / name).write_text(text, encoding="utf-8")
    for path in sorted(folder.rglob("*")):
        sync(path)
    sync(folder)


def archive_json(
    parts: Sequence[Part], replaced: Sequence[str], members: Sequence[Manifest]
) -> str:
    """The list of an archive: its files, the folders it takes the place of, its batches."""
    listed = {
        "parts": [_jsonable(asdict(part)) for part in parts],
        "replaces": list(replaced),
        "batches": [member.stated() for member in members],
    }
    return json.dumps(listed, indent=1, sort_keys=True) + "\n"


def clear_replaced(home: Home, feed: str) -> None:
    """Removes the folders that an archive has taken the place of, and their quarantine."""
    paths = sorted((home.landing / feed).glob(f"[!.]*/{ARCHIVE}"))
    replaced = {path.parent.name: _read(path, _members)[0] for path in paths}
    gone = frozenset[str]().union(*replaced.values())
    # What a replaced archive replaced is gone for long: a batch taken out of it may be back.
    names = {name for each in replaced.keys() - gone for name in replaced[each]}
    for path in (home.quarantine / feed).glob("*.parquet"):
        if path.stem in names:
            path.unlink()
    # The ones that are still there, not all there ever were: those are a file of each hour.
    for path in (home.landing / feed).iterdir():
        if path.name in names:
            shutil.rmtree(path, ignore_errors=True)


def part_paths(
    home: Home, manifests: Iterable[Manifest], days: Container[dt.date] | None = None
) -> list[str]:
    """Files of the batches that no archive holds; of days only, where rows are kept by day."""
    return _typical_first(
        (str(home.landing / m.feed / m.batch_id / part.name), part.row_count)
        for m in manifests
        for part in m.parts
        if days is None or part.day is None or part.day in days
    )


def archive_paths(
    home: Home, manifests: Iterable[Manifest], days: Container[dt.date] | None = None
) -> list[str]:
    """Files of the archives that hold these batches; they hold rows of others, too."""
    # By name: to hash an archive is to hash its every file, for every batch that it holds.
    archives = {(m.feed, m.archive.name): m.archive for m in manifests if m.archive is not None}
    return _typical_first(
        sorted(
            (str(home.landing / feed / name / part.name), part.row_count)
            for (feed, name), archive in archives.items()
            for part in archive.parts
            if days is None or part.day is None or part.day in days
        )
    )


def _typical_first(files: Iterable[tuple[str, int]]) -> list[str]:
    """The paths of files with so many rows each, one of the mean length first.

    DuckDB plans as if all files were as long as the first. A late event in a file of its own as
    the first of a year made it keep all events in memory to look up their few repeats.
    """
    listed = list(files)
    if not listed:
        return []
    mean = sum(count for _, count in listed) / len(listed)
    typical = min(range(len(listed)), key=lambda place: abs(listed[place][1] - mean))
    listed.insert(0, listed.pop(typical))
    return [path for path, _ in listed]


def quarantine_sql(home: Home, manifests: Sequence[Manifest]) -> str | None:
    """A query over the bad rows of batches of a feed, with the batch of each; None for none."""
    bad = [m for m in manifests if m.quarantined_count]
    loose = [
        str(home.quarantine / m.feed / f"{m.batch_id}.parquet") for m in bad if m.archive is None
    ]
    archived = {str(home.landing / m.feed / m.archive.name / QUARANTINE) for m in bad if m.archive}
    selects = []
    if loose:
        selects.append(
            "select source_row, reasons, source, row_hash, substr(parse_filename(filename), 1, 32) "
            f"as batch_id from read_parquet({_listed(loose)}, filename = true)"
        )
    if archived:
        ids = ", ".join(f"'{m.batch_id}'" for m in bad if m.archive)
        selects.append(
            "select source_row, reasons, source, row_hash, batch_id "
            f"from read_parquet({_listed(sorted(archived))}) where batch_id in ({ids})"
        )
    return " union all ".join(selects) or None


def _listed(paths: Sequence[str]) -> str:
    return "[" + ", ".join("'" + path.replace("'", "''") + "'" for path in paths) + "]"


def clean(home: Home) -> None:
    """Removes what a killed refresh left of batches it never committed."""
    for feed in sorted({path.parts[-3] for path in home.landing.glob(f"*/[!.]*/{ARCHIVE}")}):
        clear_replaced(home, feed)
    clean_half_written(home)


def clean_half_written(home: Home) -> None:
    """The part of `clean` that needs no list of what landed."""
    for folder in home.landing.glob(f"*/{INCOMING}-*"):
        shutil.rmtree(folder, ignore_errors=True)
    for path in home.quarantine.glob("*/*"):
        if path.name.startswith(HALF_WRITTEN):
            path.unlink(missing_ok=True)


def find(home: Home, name: str) -> Manifest:
    """The one batch whose id starts like this.

    Raises:
        ConfigurationError: There is none, or more than one.
    """
    feeds = sorted(path.name for path in home.landing.iterdir())
    found = [m for feed in feeds for m in committed(home, feed) if m.batch_id.startswith(name)]
    if len(found) != 1:
        told = "no batch" if not found else f"{len(found)} batches"
        raise ConfigurationError(
            f"{told} in {home.landing} has an id that starts with '{name}'. "
            "`arvo status --batches` lists them."
        )
    return found[0]


def discard(home: Home, manifest: Manifest) -> None:
    """Takes a batch that no archive holds out of landing; the next refresh builds without it."""
    folder = home.landing / manifest.feed / manifest.batch_id
    target = home.discarded / manifest.feed / manifest.batch_id
    target.parent.mkdir(parents=True, exist_ok=True)
    folder.rename(target)
    sync(target.parent)
    sync(folder.parent)


def write_whole(path: Path, text: str) -> None:
    """Writes a small file; killed, or on a full disk, it leaves what was there before."""
    working = path.with_name(f".{path.name}")
    try:
        with working.open("w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        working.replace(path)
    except BaseException:
        working.unlink(missing_ok=True)
        raise
    sync(path.parent)


def sync(path: Path) -> None:
    """Forces a file or a folder's entries to disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _manifests(folder: Path) -> list[Manifest]:
    paths = sorted(folder.glob(f"[!.]*/{MANIFEST}"))
    return [_read(path, _manifest) for path in paths]


def _manifest(path: Path) -> Manifest:
    return Manifest.from_json(path.read_text("utf-8"))


def _members(path: Path) -> tuple[frozenset[str], list[Manifest]]:
    """What an archive's list names as replaced, and its batches."""
    listed = json.loads(path.read_text("utf-8"))
    archive = Archive(path.parent.name, _parts(listed["parts"]))
    members = [Manifest.from_stated({**each, "archive": archive}) for each in listed["batches"]]
    return frozenset(listed["replaces"]), members


def _parts(stated: Sequence[Mapping[str, Any]]) -> tuple[Part, ...]:
    return tuple(
        Part(part["name"], part["row_count"], part["sha256"], _day(part["day"])) for part in stated
    )


def _read(path: Path, read: Callable[[Path], T]) -> T:
    try:
        found = path.stat()
        parsed: T = _parsed(path, read, found.st_mtime_ns, found.st_size)
        return parsed
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SystemFailure(
            f"{path} cannot be read as the manifest of a batch ({error}). Nothing was changed. "
            f"Move {path.parent} away and refresh: its source file is then landed again."
        ) from error


@lru_cache(maxsize=100_000)
def _parsed(path: Path, read: Callable[[Path], T], modified_ns: int, size: int) -> T:
    """A list of batches, read once: a refresh asks for all of them again and again."""
    return read(path)


def _jsonable(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _jsonable(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_jsonable(inner) for inner in value]
    return value.isoformat() if isinstance(value, dt.date) else value


def _day(text: str | None) -> dt.date | None:
    return dt.date.fromisoformat(text) if text else None
