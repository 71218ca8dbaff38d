"""Dagster's history of runs as a refresh writes it: its databases opened once, not per event.

Dagster opens an SQLite database anew for each of the thousand or so events of a refresh, compiles
each statement anew for it, and waits for the disk twice: longer, together, than a small
publisher's models take. What the events say, and where they lie, stays Dagster's. Only a refresh
on the command line writes this way (running.py): its page and its daemon, which live for weeks
beside runs that come and go, open and close as Dagster means them to.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import sqlalchemy as sa
from dagster._core.instance.ref import InstanceRef
from dagster._core.storage.event_log.sqlite.sqlite_event_log import (
    INDEX_SHARD_NAME,
    SqliteEventLogStorage,
)
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._serdes import ConfigurableClassData
from sqlalchemy.pool import StaticPool


def instance(folder: Path) -> dg.DagsterInstance:
    """Dagster's instance of a home, as dagster.yaml in that folder says, but for this history."""
    storage = {
        "module": __name__,
        "class": OpenHistory.__name__,
        # Where Dagster by itself has it, and its page looks for it.
        "config": {"base_dir": str(folder / "history" / "runs")},
    }
    reference = InstanceRef.from_dir(str(folder), overrides={"event_log_storage": storage})
    return dg.DagsterInstance.from_ref(reference)


class OpenHistory(SqliteEventLogStorage):
    """The databases of one run and of all runs together stay open until the instance is closed."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        """Opens nothing yet."""
        self._open: dict[str, sa.Engine] = {}
        super().__init__(base_dir, inst_data)

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> "OpenHistory":
        """What Dagster calls with the configuration of the instance."""
        return cls(inst_data=inst_data, **config_value)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[sa.Connection]:
        """A transaction in a run's database, or in that of all; Dagster's method of that name."""
        with self._db_lock, self._engine(shard).begin() as connection:
            yield connection

    def _engine(self, shard: str) -> sa.Engine:
        if shard in self._open:
            return self._open[shard]
        if shard != INDEX_SHARD_NAME:
            # Of the runs only the one asked for last.
            for other in self._open.keys() - {INDEX_SHARD_NAME}:
                self._open.pop(other).dispose()
        engine = sa.create_engine(
            self.conn_string_for_shard(shard),
            # One connection for all threads: the lock lets one at a time use it.
            poolclass=StaticPool,
            connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS, "check_same_thread": False},
        )
        if shard not in self._initialized_dbs:
            self._initdb(engine)
            self._initialized_dbs.add(shard)
        with engine.begin() as connection:
            # Beside a write-ahead log this cannot damage a database: should the power fail, the
            # last events of a run that has then failed anyway may be missing.
            connection.exec_driver_sql("pragma synchronous = normal")
        self._open[shard] = engine
        return engine

    def dispose(self) -> None:
        """Closes the databases."""
        while self._open:
            self._open.popitem()[1].dispose()
        super().dispose()
