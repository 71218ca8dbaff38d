"""What a refresh asks of dbt."""

import json
import os
import subprocess
from pathlib import Path

from dbt.cli.main import dbtRunner

from orchestration import models, settings, warehouse
from orchestration.settings import Home
from orchestration.warehouse import Plan
from tests.refresh.small import parsed_project


def test_a_refresh_leaves_out_what_no_changed_feed_leads_to_and_nothing_else(
    tmp_path: Path,
) -> None:
    # A mart called as a folder of models once left out all of them.
    planned = Plan(
        is_full=False, pending_days=(), new_batches=(), changed_feeds=frozenset({"accounts"})
    )
    nodes = json.loads(models.manifest_path().read_text())["nodes"].values()
    every = {node["name"] for node in nodes if node["resource_type"] == "model"}
    kept = set(models.kept_models(planned))
    # No feed of this refresh, a view of one, and two that read it.
    assert {"stg_payments", "stg_accounts"} < kept < every - {"customers", "quality_results"}
    assert asked(tmp_path, models.build_arguments(planned)) == every - kept


def test_a_refresh_of_another_day_builds_all_but_views(tmp_path: Path) -> None:
    planned = Plan(is_full=False, pending_days=(), new_batches=(), changed_feeds=None)
    nodes = json.loads(models.manifest_path().read_text())["nodes"].values()
    views = {node["name"] for node in nodes if node["config"]["materialized"] == "view"}
    every = {node["name"] for node in nodes if node["resource_type"] == "model"}
    assert "stg_accounts" in views == set(models.kept_models(planned))
    assert asked(tmp_path, models.build_arguments(planned)) == every - views


def test_a_dbt_that_finds_the_warehouse_open_says_who_has_it_open(tmp_path: Path) -> None:
    # As the dbt of a killed refresh does that begins late.
    home, target, log = Home(tmp_path / "home"), tmp_path / "dbt", tmp_path / "dbt.log"
    project = str(settings.dbt_project_dir())
    where = ["--project-dir", project, "--profiles-dir", project, "--target-path", str(target)]
    with warehouse.connect(home), log.open("w") as printed:
        done = subprocess.run(
            [models.dbt_executable(), "build", *where, "--log-path", str(target)],
            env={**settings.environment(), **models.environment(home)},
            stdout=printed,
            check=False,
        )
    assert done.returncode != 0
    told = models.message(target, log)
    assert "before any model ran" in told
    assert f"(PID {os.getpid()})" in told


def asked(tmp_path: Path, arguments: list[str]) -> set[str]:
    """Names of the models that dbt would build."""
    settings.export(models.environment(Home(tmp_path)))
    project = str(settings.dbt_project_dir())
    where = ["--project-dir", project, "--profiles-dir", project, "--target-path", str(tmp_path)]
    chosen = arguments[arguments.index("--indirect-selection") :]
    listed = dbtRunner(manifest=parsed_project()).invoke(
        ["ls", "--quiet", "--resource-type", "model", "--output", "name", *where, *chosen]
    )
    assert listed.success, listed.exception
    assert isinstance(listed.result, list)
    return set(listed.result)
