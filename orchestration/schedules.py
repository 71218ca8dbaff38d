"""When refreshes run: the job, the daily schedule and the sensor for new files.

Holds times and triggers only. All three start switched off: whether and when a publisher's data
is refreshed is the data engineer's decision, taken in the page or by `dagster schedule start`.
"""

import hashlib
from typing import TYPE_CHECKING

import dagster as dg

from orchestration.publisher import Publisher
from orchestration.sources import files

if TYPE_CHECKING:
    from dagster._core.definitions.unresolved_asset_job_definition import (
        UnresolvedAssetJobDefinition,
    )

JOB = "refresh"
SENSOR_SECONDS = 60


def refresh_job() -> "UnresolvedAssetJobDefinition":
    """Everything, in the order of the graph, in one process."""
    return dg.define_asset_job(
        JOB,
        selection=dg.AssetSelection.all(),
        description="Land, gate, model, gate and publish. One process; one refresh at a time.",
        executor_def=dg.in_process_executor,
    )


def daily_schedule(stated: Publisher, job: "UnresolvedAssetJobDefinition") -> dg.ScheduleDefinition:
    """Once a day at `refresh_at`, in the publisher's time zone."""
    at = stated.refresh_at
    return dg.ScheduleDefinition(
        name="daily_refresh",
        job=job,
        cron_schedule=f"{at.minute} {at.hour} * * *",
        execution_timezone=stated.time_zone,
        description=f"Every day at {at:%H:%M} {stated.time_zone} (refresh_at in publisher.yml).",
    )


def new_files_sensor(stated: Publisher, job: "UnresolvedAssetJobDefinition") -> dg.SensorDefinition:
    """Starts a refresh when a file that a feed reads is new or changed."""

    @dg.sensor(
        name="new_files",
        job=job,
        minimum_interval_seconds=SENSOR_SECONDS,
        description="Looks at the files of all feeds; new or changed ones start a refresh.",
    )
    def watch(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        seen = watched(stated)
        if seen == context.cursor:
            return dg.SensorResult(skip_reason="No file is new or changed.", cursor=seen)
        return dg.SensorResult(run_requests=[dg.RunRequest(run_key=seen)], cursor=seen)

    return watch


def watched(stated: Publisher) -> str:
    """Digest of the names, sizes and times of all files the feeds read."""
    digest = hashlib.sha256()
    for config in stated.feeds.values():
        for path in files.find(config.files):
            stat = path.stat()
            digest.update(f"{path} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()
