"""Assembles everything Dagster shows, explicitly, and nothing else."""

import dagster as dg

from orchestration import assets, models, publisher, schedules, settings


@dg.definitions
def defs() -> dg.Definitions:
    """The code location of one publisher (`ARVO_PUBLISHER`, else the demo's)."""
    settings.silence_telemetry()
    stated = publisher.load(settings.publisher_path())
    job = schedules.refresh_job()
    project = str(settings.dbt_project_dir())
    return dg.Definitions(
        assets=[
            *assets.source_specs(stated),
            *assets.landing_assets(stated),
            assets.gate_in(stated),
            *assets.missing_feeds(stated),
            assets.model_assets(),
            assets.publish_assets(models.marts()),
        ],
        jobs=[job],
        schedules=[schedules.daily_schedule(stated, job)],
        sensors=[schedules.new_files_sensor(stated, job)],
        resources={
            "dbt": assets.Dbt(
                project_dir=project,
                profiles_dir=project,
                dbt_executable=models.dbt_executable(),
            ),
            "refresh_run": assets.RefreshRun(publisher_file=str(stated.path)),
        },
        executor=dg.in_process_executor,
    )
