"""Runs the Dagster job in this process, and starts Dagster's page, for the command line.

Holds the way into Dagster only: its home, its noise, and what a run's end means for the
command. What the job does is assets.py's. Importing Dagster takes seconds, so only functions do.
"""

import datetime as dt
import logging
import os
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from orchestration import settings
from orchestration.errors import ArvoError, SystemFailure
from orchestration.publisher import Publisher
from orchestration.settings import Home

if TYPE_CHECKING:
    from dagster import DagsterInstance

    from orchestration.refresh import Refresh

KEPT_RUNS = 100
INSTANCE = """\
# Written by arvo: nothing leaves the machine, and no first-visit dialogue in the page.
telemetry:
  enabled: false
nux:
  enabled: false
"""


def refresh(
    home: Home,
    stated: Publisher,
    *,
    as_of: dt.date | None,
    is_full: bool,
    say: Callable[[str], None],
    accepted: str = "",
) -> "Refresh":
    """Runs the job `refresh` in this process; its run is seen in Dagster's page afterwards.

    Returns:
        The refresh, ended: published, nothing new, refused or failed.

    Raises:
        ArvoError: It could not begin: the lock is held, the configuration does not fit.
    """
    prepare(home, stated)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import dagster as dg

        logging.getLogger("dagster").setLevel(logging.CRITICAL)
        # With nothing new the models' checks are silent; publishing needs their stamp, not them.
        logging.getLogger("dagster._core.execution.plan").setLevel(logging.CRITICAL)
        from orchestration import assets
        from orchestration.definitions import defs
        from orchestration.schedules import JOB

        say("start    Dagster and dbt are loaded")
        assets.SPEAKERS[str(home.root)] = say
        assets.LATEST.pop(str(home.root), None)
        job = defs().resolve_job_def(JOB)
        with dg.DagsterInstance.from_config(str(home.dagster)) as instance:
            try:
                job.execute_in_process(
                    instance=instance,
                    run_config=_run_config(stated, as_of, is_full, accepted),
                    raise_on_error=True,
                )
            except Exception as error:
                run = assets.LATEST.get(str(home.root))
                if run is None or run.error is None:
                    raise _explained(error) from error
            finally:
                _prune(instance)
        return assets.LATEST[str(home.root)]


def prepare(home: Home, stated: Publisher) -> None:
    """Tells this process and those it starts which publisher and home they work on."""
    settings.silence_telemetry()
    settings.export(
        {
            "ARVO_PUBLISHER": str(stated.path),
            "ARVO_HOME": str(home.root),
            "DAGSTER_HOME": str(home.dagster),
        }
    )
    try:
        home.dagster.mkdir(parents=True, exist_ok=True)
        (home.dagster / "dagster.yaml").write_text(INSTANCE, encoding="utf-8")
    except OSError as error:
        raise SystemFailure(
            f"the home {home.root} cannot be written ({error.strerror or error}). Make room or "
            "give this user the right, or name another home with --home or ARVO_HOME."
        ) from error


def serve(home: Home, stated: Publisher, host: str, port: int) -> None:
    """Becomes Dagster's page and daemon; returns only when they cannot start."""
    prepare(home, stated)
    os.chdir(settings.project_root())
    dagster = str(Path(sys.executable).parent / "dagster")
    os.execv(dagster, [dagster, "dev", "-w", "workspace.yaml", "-h", host, "-p", str(port)])  # noqa: S606


def _run_config(
    stated: Publisher, as_of: dt.date | None, is_full: bool, accepted: str
) -> dict[str, object]:
    config = {
        "publisher_file": str(stated.path),
        "as_of": as_of.isoformat() if as_of else "",
        "full": is_full,
        "accept_change": accepted,
    }
    return {
        "resources": {"refresh_run": {"config": config}},
        "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
    }


def _explained(error: BaseException) -> Exception:
    """The arvo error at the root of what Dagster raised, else one that shows the whole."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ArvoError):
            return cause
        cause = cause.__cause__ or cause.__context__
    told = " ".join(str(error).split())[:500]
    return SystemFailure(f"Dagster could not run the refresh: {type(error).__name__}: {told}")


def _prune(instance: "DagsterInstance") -> None:
    """Keeps the run history from growing for ever."""
    kept = instance.get_run_records(limit=KEPT_RUNS)
    if len(kept) < KEPT_RUNS:
        return
    for record in instance.get_run_records(cursor=kept[-1].dagster_run.run_id, limit=KEPT_RUNS):
        instance.delete_run(record.dagster_run.run_id)
