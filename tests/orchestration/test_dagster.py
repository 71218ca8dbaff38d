"""What Dagster shows, and that no way through it goes past the gate."""

import dagster as dg
import pytest

from orchestration import assets, models, refresh, running
from orchestration.assets import GATE, LANDING, MODEL, PUBLISH, SOURCE
from orchestration.contracts import contracts
from orchestration.definitions import defs
from orchestration.publisher import load
from orchestration.reports import PUBLISHED
from orchestration.schedules import JOB
from tests.refresh.conftest import FEEDS, small
from tests.refresh.small import Small, page_view, payment

__all__ = ["small"]


@pytest.fixture
def definitions(small: Small, monkeypatch: pytest.MonkeyPatch) -> dg.Definitions:
    return definitions_of(small, monkeypatch)


def definitions_of(publisher: Small, monkeypatch: pytest.MonkeyPatch) -> dg.Definitions:
    """What Dagster loads for a publisher."""
    for name in ("ARVO_PUBLISHER", "ARVO_HOME", "DAGSTER_HOME"):
        monkeypatch.setenv(name, "")
    running.prepare(publisher.home, load(publisher.path))
    return defs()


def test_assets_stand_in_the_five_groups_and_are_described(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    by_group: dict[str, set[str]] = {}
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        by_group.setdefault(str(node.group_name), set()).add(key.path[-1])
        assert node.description, key
    assert by_group.keys() == {SOURCE, LANDING, MODEL, GATE, PUBLISH}
    assert by_group[SOURCE] == by_group[LANDING] == set(FEEDS)
    assert by_group[GATE] == {*contracts(), "new_batches", "candidate"}
    assert by_group[PUBLISH] == {"marts"}
    assert set(models.marts()) <= by_group[MODEL]


def test_the_tests_of_the_models_and_the_suites_of_the_gate_are_checks(
    definitions: dg.Definitions,
) -> None:
    keys = definitions.resolve_asset_graph().asset_check_keys
    names = {(key.asset_key.path[0], key.name) for key in keys}
    assert (MODEL, "mrr_movements_bridge") in names
    assert (GATE, "reconciliation") in names
    assert (GATE, "volume_events") in names


def test_the_schedule_runs_in_the_publishers_time_zone(definitions: dg.Definitions) -> None:
    schedule = definitions.resolve_schedule_def("daily_refresh")
    assert schedule.execution_timezone == "Europe/Helsinki"
    assert schedule.job_name == JOB


def test_the_sensor_asks_for_a_refresh_once_for_every_change(
    definitions: dg.Definitions, small: Small
) -> None:
    sensor = definitions.resolve_sensor_def("new_files")

    def asked(cursor: str | None) -> tuple[int, str | None]:
        answer = sensor.evaluate_tick(dg.build_sensor_context(cursor=cursor))
        return len(answer.run_requests or []), answer.cursor

    first, cursor = asked(None)
    again, cursor = asked(cursor)
    small.add("events", page_view("e9", "v1", "2024-03-03T10:00:00Z"))
    changed, cursor = asked(cursor)
    assert (first, again, changed) == (1, 0, 1)


def test_neither_a_part_of_the_models_nor_unbuilt_batches_can_be_published(
    published: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    definitions = definitions_of(published, monkeypatch)
    published.add("events", page_view("e9", "v1", "2024-03-03T10:00:00Z"))
    with published.opened() as run:
        refresh.land(run, "events")
    before = sorted(published.home.published.iterdir())
    job = definitions.resolve_job_def(JOB)
    parts = ([dg.AssetKey([MODEL, "customers"])], [assets.CANDIDATE_KEY, assets.MARTS_KEY])
    for selection in parts:
        done = job.execute_in_process(asset_selection=selection, raise_on_error=False)
        assert not done.success
    assert sorted(published.home.published.iterdir()) == before


def test_a_run_of_the_command_is_seen_in_dagsters_history(published: Small) -> None:
    published.add("payments", payment("p2", "liisa@example.fi", "2024-03-01T12:00:00Z", 5))
    run = running.refresh(
        published.home, load(published.path), as_of=None, is_full=False, say=lambda line: None
    )
    assert run.verdict == PUBLISHED
    # dbt has not run in this home before, and need not parse the project for it.
    assert "full parse" not in (run.folder / "dbt.log").read_text()
    with dg.DagsterInstance.from_config(str(published.home.dagster)) as instance:
        [seen] = instance.get_runs()
        assert seen.tags[assets.REFRESH_TAG] == run.refresh_id
        assert seen.is_success
        latest = instance.get_latest_materialization_event(assets.MARTS_KEY)
        assert latest is not None
        # No payment leads to the first; the second is a view, which shows by itself what came.
        for model in ("int_sessions", "stg_payments", "churn_risk"):
            told = instance.get_latest_materialization_event(dg.AssetKey([MODEL, model]))
            assert told is not None
            assert told.asset_materialization is not None
            assert ("kept" in told.asset_materialization.metadata) == (model != "churn_risk")
