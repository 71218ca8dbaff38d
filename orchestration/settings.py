"""The environment and the paths of a home; the only module that reads os.environ.

Holds where things lie and how much a process may use. What a publisher's data means is
publisher.py's.
"""

import datetime as dt
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

# Nothing leaves the machine: every library that would call home is told not to.
TELEMETRY_OFF = {
    "DAGSTER_DISABLE_TELEMETRY": "1",
    "DBT_SEND_ANONYMOUS_USAGE_STATS": "0",
    "DO_NOT_TRACK": "1",
    "GX_ANALYTICS_ENABLED": "false",
}
# Of every DuckDB connection: a query of two seconds would draw its progress over our output.
NO_PROGRESS_BAR = "set enable_progress_bar = false"
DEFAULT_PUBLISHER = "demo"
DEFAULT_MEMORY_LIMIT = "2GB"
DEFAULT_THREADS = 2


def environment() -> Mapping[str, str]:
    """The process's environment, for `${VAR}` in publisher.yml."""
    return os.environ


def silence_telemetry() -> None:
    """Switch off the telemetry of dagster, dbt and great_expectations for this process."""
    for name, value in TELEMETRY_OFF.items():
        os.environ.setdefault(name, value)


def project_root() -> Path:
    """The checkout: the folder that holds dbt_project and publishers."""
    return Path(__file__).resolve().parent.parent


def dbt_project_dir() -> Path:
    """The dbt project, as an absolute path (dbt caches a relative one)."""
    return project_root() / "dbt_project"


def publisher_path() -> Path:
    """publisher.yml to use when no command names one: `ARVO_PUBLISHER`, else the demo's."""
    named = os.environ.get("ARVO_PUBLISHER")
    if named:
        return Path(named).expanduser().resolve()
    return project_root() / "publishers" / DEFAULT_PUBLISHER / "publisher.yml"


def home_path(publisher: str) -> Path:
    """The home of a publisher: `ARVO_HOME`, else `var/<publisher>` in the checkout."""
    named = os.environ.get("ARVO_HOME")
    if named:
        return Path(named).expanduser().resolve()
    return project_root() / "var" / publisher


def utc_now() -> dt.datetime:
    """The clock, in UTC without a zone; only reports and the row rules look at it."""
    return dt.datetime.now(dt.UTC).replace(tzinfo=None)


def memory_limit() -> str:
    """Memory one DuckDB process may use (`ARVO_MEMORY_LIMIT`, such as 2GB)."""
    return os.environ.get("ARVO_MEMORY_LIMIT", DEFAULT_MEMORY_LIMIT)


def for_others_sql(spill: str) -> dict[str, str | bool | int | float | list[str]]:
    """What a connection is opened with that runs somebody's SQL: it reaches no file and no network.

    Args:
        spill: Folder for what does not fit into memory.
    """
    return {
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        "enable_external_access": "false",
        "memory_limit": memory_limit(),
        # Names in a query must not reach this process's variables.
        "python_enable_replacements": "false",
        "temp_directory": spill,
        "threads": threads(),
    }


def threads() -> int:
    """Threads one DuckDB process may use (`ARVO_THREADS`)."""
    return int(os.environ.get("ARVO_THREADS", str(DEFAULT_THREADS)))


def pseudonym_key() -> str | None:
    """The key given in `ARVO_PSEUDONYM_KEY`; None leaves it to the home's own key file."""
    return os.environ.get("ARVO_PSEUDONYM_KEY") or None


def export(values: Mapping[str, str]) -> None:
    """Set variables for the processes this one starts (dbt, dagster)."""
    os.environ.update(values)


@dataclass(frozen=True)
class Home:
    """The folders of one publisher's refreshes."""

    root: Path

    @property
    def landing(self) -> Path:
        """Committed batches: `landing/<feed>/<batch_id>/`."""
        return self.root / "landing"

    @property
    def quarantine(self) -> Path:
        """Bad rows with their reasons: `quarantine/<feed>/<batch_id>.parquet`."""
        return self.root / "quarantine"

    @property
    def discarded(self) -> Path:
        """Batches taken out of landing by `arvo discard`."""
        return self.root / "discarded"

    @property
    def build(self) -> Path:
        """Private working files; safe to delete."""
        return self.root / "build"

    @property
    def warehouse(self) -> Path:
        """Dbt's database with its incremental state."""
        return self.build / "warehouse.duckdb"

    @property
    def candidate(self) -> Path:
        """The file that would be published, while the gate judges it."""
        return self.build / "candidate.duckdb"

    @property
    def published(self) -> Path:
        """The published versions and the link to the current one."""
        return self.root / "published"

    @property
    def reports(self) -> Path:
        """One folder per refresh: its report and its data docs."""
        return self.root / "reports"

    @property
    def dagster(self) -> Path:
        """Dagster's run history."""
        return self.root / "dagster"

    @property
    def key_file(self) -> Path:
        """The pseudonym key made for this home, when the environment gives none."""
        return self.root / "pseudonym.key"
