"""What a refresh asks of dbt."""

import json
from pathlib import Path

from dbt.cli.main import dbtRunner

from orchestration import models, settings
from orchestration.settings import Home
from orchestration.warehouse import Plan


def test_a_refresh_leaves_out_what_no_changed_feed_leads_to_and_nothing_else(
    tmp_path: Path,
) -> None:
    # A mart called as a folder of models once left out all of them.
    planned = Plan(
        is_full=False, pending_days=(), new_batches=(), changed_feeds=frozenset({"accounts"})
    )
    nodes = json.loads(models.manifest_path().read_text())["nodes"].values()
    every = {node["name"] for node in nodes if node["resource_type"] == "model"}
    unchanged = set(models.unchanged_models(planned))
    assert "stg_payments" in unchanged < every
    assert asked(tmp_path, models.build_arguments(planned)) == every - unchanged


def asked(tmp_path: Path, arguments: list[str]) -> set[str]:
    """Names of the models that dbt would build."""
    settings.export(models.environment(Home(tmp_path)))
    project = str(settings.dbt_project_dir())
    where = ["--project-dir", project, "--profiles-dir", project, "--target-path", str(tmp_path)]
    chosen = arguments[arguments.index("--indirect-selection") :]
    listed = dbtRunner().invoke(
        ["ls", "--quiet", "--resource-type", "model", "--output", "name", *where, *chosen]
    )
    assert listed.success, listed.exception
    assert isinstance(listed.result, list)
    return set(listed.result)
