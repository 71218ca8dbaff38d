"""Landing's store: committed batches, their manifests, and the moves between folders.

A batch is a directory; renaming it into place is the commit. Reading sources and judging rows
is landing.py's business; what the models see of the batches is warehouse.py's.
"""

import datetime as dt
import hashlib
import json
import os
import shutil
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from orchestration.errors import ConfigurationError, SystemFailure
from orchestration.settings import Home

MANIFEST = "manifest.json"
INCOMING = ".incoming"


@dataclass(frozen=True)
class Part:
    """One Parquet file of a batch, by its name inside the batch's folder."""

    name: str
    row_count: int
    sha256: str
    day: dt.date | None = None


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

    @property
    def first_day(self) -> dt.date | None:
        """Earliest local day of the batch's rows."""
        return min(self.days, default=None)

    def to_json(self) -> str:
        """The manifest as it is written beside the rows."""
        return json.dumps(_jsonable(asdict(self)), indent=1, sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "Manifest":
        """The manifest in a text that `to_json` wrote."""
        stated: dict[str, Any] = json.loads(text)
        stated["columns"] = tuple(stated["columns"])
        stated["ignored_columns"] = tuple(stated["ignored_columns"])
        stated["days"] = {
            dt.date.fromisoformat(day): count for day, count in stated["days"].items()
        }
        stated["last_day"] = _day(stated["last_day"])
        stated["parts"] = tuple(
            Part(part["name"], part["row_count"], part["sha256"], _day(part["day"]))
            for part in stated["parts"]
        )
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
    return _manifests(home.landing / feed)


def discarded(home: Home, feed: str) -> list[Manifest]:
    """Manifests of the batches that were taken out; their files are not read again."""
    return _manifests(home.discarded / feed)


def is_superseded(manifest: Manifest, others: Iterable[Manifest]) -> bool:
    """Whether the same file was landed again because its mapping changed since."""
    return any(
        other.source_sha256 == manifest.source_sha256
        and other.source_path == manifest.source_path
        and other.mapping != manifest.mapping
        for other in others
    )


def active(home: Home, feed: str, mapping: str | None) -> list[Manifest]:
    """The batches that count: all but those read anew since with the present mapping."""
    manifests = committed(home, feed)
    present = [m for m in manifests if m.mapping == mapping]
    return [m for m in manifests if m.mapping == mapping or not is_superseded(m, present)]


def incoming(home: Home, feed: str, name: str) -> Path:
    """An empty private folder to write a batch in, on the file system it is committed to."""
    folder = home.landing / feed / f"{INCOMING}-{name}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o700)
    return folder


def commit(home: Home, folder: Path, manifest: Manifest) -> None:
    """Makes a written batch part of landing, by one rename after everything is on disk."""
    (folder / MANIFEST).write_text(manifest.to_json(), encoding="utf-8")
    for path in sorted(folder.rglob("*")):
        sync(path)
    sync(folder)
    target = home.landing / manifest.feed / manifest.batch_id
    folder.rename(target)
    sync(target.parent)


def clean(home: Home) -> None:
    """Removes what a killed refresh left of batches it never committed."""
    for folder in home.landing.glob(f"*/{INCOMING}-*"):
        shutil.rmtree(folder, ignore_errors=True)


def discard(home: Home, name: str) -> Manifest:
    """Takes one batch out of landing; the next refresh builds without it.

    Raises:
        ConfigurationError: No batch, or more than one, has an id that starts like this.
    """
    found = [path for path in sorted(home.landing.glob("*/*")) if path.name.startswith(name)]
    if len(found) != 1:
        told = "no batch" if not found else f"{len(found)} batches"
        raise ConfigurationError(
            f"{told} in {home.landing} has an id that starts with '{name}'. "
            "`arvo status --batches` lists them."
        )
    manifest = Manifest.from_json((found[0] / MANIFEST).read_text(encoding="utf-8"))
    target = home.discarded / manifest.feed / manifest.batch_id
    target.parent.mkdir(parents=True, exist_ok=True)
    found[0].rename(target)
    sync(target.parent)
    sync(found[0].parent)
    return manifest


def sync(path: Path) -> None:
    """Forces a file or a folder's entries to disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _manifests(folder: Path) -> list[Manifest]:
    paths = sorted(folder.glob(f"[!.]*/{MANIFEST}"))
    return [_read(path) for path in paths]


def _read(path: Path) -> Manifest:
    try:
        return Manifest.from_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SystemFailure(
            f"{path} cannot be read as the manifest of a batch ({error}). Nothing was changed. "
            f"Move {path.parent} away and refresh: its source file is then landed again."
        ) from error


def _jsonable(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _jsonable(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_jsonable(inner) for inner in value]
    return value.isoformat() if isinstance(value, dt.date) else value


def _day(text: str | None) -> dt.date | None:
    return dt.date.fromisoformat(text) if text else None
