"""The home's folders, whose it is, and the lock that lets one process at a time change it."""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from orchestration import batches
from orchestration.errors import ConfigurationError, SystemFailure
from orchestration.publisher import Publisher
from orchestration.settings import Home


def prepare(home: Home, publisher: Publisher) -> None:
    """Makes the home's folders and refuses one that belongs to another publisher."""
    identity = {"publisher": publisher.name, "time_zone": publisher.time_zone}
    path = home.root / "home.json"
    try:
        for folder in (home.landing, home.quarantine, home.build, home.reports, home.dagster):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        home.published.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            batches.write_whole(path, json.dumps(identity) + "\n")
    except OSError as error:
        raise unwritable(home, error) from error
    _refuse_foreign_home(path, identity)


def _refuse_foreign_home(path: Path, identity: Mapping[str, str]) -> None:
    try:
        stated = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        stated = {}
    for key, value in identity.items():
        if stated.get(key) != value:
            raise ConfigurationError(
                f"the home {path.parent} was made for {key.replace('_', ' ')} "
                f"'{stated.get(key)}', not '{value}': mixing them would mix their customers or "
                "move their days. Name another home with --home or ARVO_HOME."
            )


@contextmanager
def lock(home: Home, holder: str) -> Iterator[None]:
    """Keeps everybody else from changing the home; ends with the process that holds it.

    Raises:
        SystemFailure: Somebody else holds it.
    """
    try:
        stream = (home.root / "lock").open("a+", encoding="utf-8")
    except OSError as error:
        raise unwritable(home, error) from error
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            stream.seek(0)
            stream.truncate()
            # Past the buffer: closing would try to write it again on a full disk.
            os.write(stream.fileno(), f"{holder} (process {os.getpid()})\n".encode())
        except BlockingIOError:
            raise SystemFailure(_locked(home, stream)) from None
        except OSError as error:
            raise unwritable(home, error) from error
        yield


def unwritable(home: Home, error: OSError) -> SystemFailure:
    """The error of a home that cannot be written."""
    return SystemFailure(
        f"the home {home.root} cannot be written ({error.strerror or error}). Make room or give "
        "this user the right, or name another home with --home or ARVO_HOME."
    )


def _locked(home: Home, stream: IO[str]) -> str:
    stream.seek(0)
    holder = stream.read().strip() or "another process"
    return (
        f"a refresh is running in {home.root} already: {holder}. Wait until it has ended; two at "
        "once would build in each other's files."
    )
