"""Runs the Dagster job in this process, and starts Dagster's page, for the command line.

Holds the way into Dagster only: its home, its noise, and what a run's end means for the
command. What the job does is assets.py's. Importing Dagster takes seconds, so only functions do.
"""

import datetime as dt
import logging
import os
import shutil
import sys
import warnings
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from orchestration import batches, settings
from orchestration.errors import ArvoError, SystemFailure
from orchestration.publisher import Publisher
from orchestration.settings import Home

if TYPE_CHECKING:
    from dagster import DagsterInstance

    from orchestration.refresh import Refresh

KEPT_RUNS = 100
# What a run may take from being asked for to its first step.
SECONDS_TO_BEGIN = 600
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

    With nothing new there is no run.

    Returns:
        The refresh, ended: published, nothing new, refused or failed.

    Raises:
        ArvoError: It could not begin: the lock is held, the configuration does not fit.
    """
    prepare(home, stated)
    from orchestration.examiner import Examiner
    from orchestration.refresh import looks_new, with_nothing_new

    if not is_full and not accepted:
        idle = with_nothing_new(home, stated, as_of=as_of, say=say)
        if idle is not None:
            return idle
    examiner = Examiner()
    if is_full or looks_new(home, stated):
        examiner.start()
    with closing(examiner), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from orchestration import run_history

        logging.getLogger("dagster").setLevel(logging.CRITICAL)
        # With nothing new the models' checks are silent; publishing needs their stamp, not them.
        logging.getLogger("dagster._core.execution.plan").setLevel(logging.CRITICAL)
        from orchestration import assets
        from orchestration.definitions import defs
        from orchestration.schedules import JOB

        say("start    Dagster and dbt are loaded")
        assets.SPEAKERS[str(home.root)] = say
        assets.EXAMINERS[str(home.root)] = examiner
        assets.LATEST.pop(str(home.root), None)
        job = defs().resolve_job_def(JOB)
        try:
            with run_history.instance(home.dagster) as instance:
                try:
                    job.execute_in_process(
                        instance=instance,
                        run_config=_run_config(stated, as_of, is_full, accepted),
                        raise_on_error=True,
                    )
                finally:
                    _tidy(instance, home, assets.LATEST.get(str(home.root)))
        except Exception as error:
            run = assets.LATEST.get(str(home.root))
            if run is None:
                raise _explained(error, home) from error
            if run.error is None or (run.failed_step is None and _cause(error) is None):
                # Dagster broke, between two steps or after the last: no step knows why.
                run.error = _between_steps(run, error)
                if run.version is None:
                    from orchestration import reports

                    run.reason = str(run.error)
                    with suppress(OSError):
                        reports.leave(run)
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
        path = home.dagster / "dagster.yaml"
        if not path.exists() or path.read_text(encoding="utf-8") != INSTANCE:
            batches.write_whole(path, INSTANCE)
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


def _explained(error: BaseException, home: Home) -> ArvoError:
    """The arvo error at the root of what Dagster raised, else one that shows the whole."""
    cause = _cause(error)
    if cause is not None:
        return cause
    # SQLAlchemy's own text would quote the statement and all it was to write.
    told = " ".join(str(getattr(error, "orig", error)).split())[:500]
    return SystemFailure(
        f"Dagster could not run the refresh in {home.root}: {type(error).__name__}: "
        f"{told.rstrip('.')}. What was published before stays as it is. If this names a disk or a "
        "limit, make room or raise it and refresh again; else please report it. "
        f"{home.dagster} holds the run history only and can be moved away."
    )


def _cause(error: BaseException) -> ArvoError | None:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ArvoError):
            return cause
        cause = cause.__cause__ or cause.__context__
    return None


def _between_steps(run: "Refresh", error: BaseException) -> ArvoError:
    """What went wrong when no step did: Dagster could not note how they ended."""
    explained = _explained(error, run.home)
    if run.version is None:
        return explained
    return SystemFailure(
        f"refresh {run.refresh_id} is published ({run.version.path}), but what follows publishing "
        f"failed: {str(explained).rstrip('.')}. Its report and its run in Dagster's page may be "
        "incomplete. Put this right; nothing has to be refreshed again."
    )


def _tidy(instance: "DagsterInstance", home: Home, run: "Refresh | None") -> None:
    """Housekeeping, which the next refresh makes up for: a full disk may forbid it."""
    from orchestration.assets import REFRESH_TAG

    with suppress(Exception):
        if run is not None:
            _close_killed(instance, {REFRESH_TAG: run.refresh_id})
        _prune(instance, home)


def _close_killed(instance: "DagsterInstance", tags: Mapping[str, str]) -> None:
    """Runs of refreshes that were killed: the page would show them as under way for ever.

    Called when a refresh that held the home's lock, the run with these tags, has ended. What
    began before it and is not over was killed: the lock would have refused it, or it this one.
    """
    from dagster import DagsterRunStatus, RunsFilter

    own = instance.get_run_records(RunsFilter(tags=tags), limit=1)
    began = own[0].start_time if own else None
    if began is None:
        return
    status = DagsterRunStatus
    over = (status.SUCCESS, status.FAILURE, status.CANCELED, status.QUEUED)
    rest = RunsFilter(statuses=[each for each in status if each not in over])
    for record in instance.get_run_records(rest):
        # One that has not begun yet may still be loading what it needs, in the page's process.
        made = record.create_timestamp.timestamp() + SECONDS_TO_BEGIN
        if (record.start_time or made) < began:
            instance.report_run_failed(record.dagster_run, "The refresh was killed.")


def _prune(instance: "DagsterInstance", home: Home) -> None:
    """Keeps the run history from growing for ever."""
    kept = instance.get_run_records(limit=KEPT_RUNS)
    if len(kept) < KEPT_RUNS:
        return
    for record in instance.get_run_records(cursor=kept[-1].dagster_run.run_id, limit=KEPT_RUNS):
        name = record.dagster_run.run_id
        instance.delete_run(name)
        # Dagster empties a run's own database and leaves its file, a megabyte, and its logs.
        for path in (home.dagster / "history" / "runs").glob(f"{name}.db*"):
            path.unlink(missing_ok=True)
        shutil.rmtree(home.dagster / "storage" / name, ignore_errors=True)
