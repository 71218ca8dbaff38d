"""What a refresh had looked at when all of it was published.

With a file an hour for a year, the lists of what landed take longer to read than all else that a
refresh with nothing new does. Where the files, the batches, the published version and the
configuration are those of which one has found that all is published, there is nothing new. It is
noted in `build/`: without the note the lists are read, and that is all.
"""

import datetime as dt
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from orchestration import batches, reports, settings, warehouse
from orchestration.publisher import Publisher
from orchestration.settings import Home
from orchestration.sources import files
from orchestration.sources.files import Listed

NOTE = "nothing_new"

# The files of each feed.
Found = Mapping[str, Sequence[Listed]]


def sources(publisher: Publisher) -> Found:
    """The files of each feed, as they are called and when they were written."""
    return {feed: files.listed(config.files) for feed, config in publisher.feeds.items()}


def digest(home: Home, publisher: Publisher, as_of: dt.date | None, found: Found) -> str:
    """Digest of all that decides whether there is anything new, but for the files' contents.

    Args:
        home: The home.
        publisher: What is refreshed.
        as_of: The as-of day asked for.
        found: Of `sources`.
    """
    told = hashlib.sha256()
    configured = (
        warehouse.fingerprint(publisher),
        [(feed, config.fingerprint) for feed, config in publisher.feeds.items()],
        as_of or publisher.as_of,
        warehouse.local_day(settings.utc_now(), publisher.time_zone),
        reports.last_published_key(home),
    )
    told.update(repr(configured).encode())
    for feed, listed in found.items():
        told.update(repr((feed, listed)).encode())
    for folder in (home.landing, home.discarded):
        for entry in _lists(folder):
            told.update(repr(entry).encode())
    return told.hexdigest()


def _lists(folder: Path) -> Iterator[tuple[str, int, int]]:
    """The folders of batches and archives, with size and time of the list that each one holds."""
    for path in sorted(folder.glob("*/*")):
        for name in (batches.MANIFEST, batches.ARCHIVE):
            with suppress(OSError):
                found = (path / name).stat()
                yield f"{path}/{name}", found.st_size, found.st_mtime_ns


def noted(home: Home, seen: str) -> dt.date | None:
    """The as-of day of what is published, if this is what was noted; else None."""
    with suppress(OSError, ValueError):
        looked_at, as_of_day = (home.build / NOTE).read_text(encoding="utf-8").split()
        if looked_at == seen:
            return dt.date.fromisoformat(as_of_day)
    return None


def note(home: Home, seen: str, as_of_day: dt.date) -> None:
    """Notes what was looked at while all of it is published; a full disk may forbid it."""
    with suppress(OSError):
        # Half of it is not what anybody looks for: written in place, a kill leaves nothing else.
        (home.build / NOTE).write_text(f"{seen} {as_of_day}\n", encoding="utf-8")
