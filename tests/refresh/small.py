"""A small publisher for tests: its files, its refreshes, and what is then published.

`Small.refresh` runs the steps of a refresh without Dagster, with dbt in this process: seconds
less per refresh. Tests that are about the command or about Dagster run those.
"""

import datetime as dt
import gc
import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import duckdb

from orchestration import assumptions, models, publisher, refresh, reports, settings, warehouse
from orchestration.contracts import contracts
from orchestration.errors import ArvoError
from orchestration.refresh import Refresh
from orchestration.settings import Home
from orchestration.warehouse import Plan

Row = Mapping[str, Any]
# A file's time of modification decides between versions of a row that say no time themselves.
FIRST_FILE_AT = dt.datetime(2024, 6, 1, tzinfo=dt.UTC)


class Small:
    """A publisher in a folder, its feeds JSON lines with the contract's own column names."""

    def __init__(self, folder: Path, feeds: Sequence[str], **stated: object) -> None:
        """Writes publisher.yml for these feeds, each read from data/<feed>-*.jsonl."""
        self.folder = folder
        self.home = Home(folder / "home")
        self.files = 0
        self.data = folder / "data"
        self.data.mkdir(parents=True)
        self.path = folder / "publisher.yml"
        configuration = {
            "publisher": "small",
            "time_zone": "Europe/Helsinki",
            "currency": "EUR",
            **stated,
            "feeds": {feed: {"files": f"data/{feed}-*.jsonl"} for feed in feeds},
        }
        # JSON is YAML.
        self.path.write_text(json.dumps(configuration, indent=1))

    def assume(self) -> "Small":
        """Assumes what the demo publisher does."""
        stated = settings.project_root() / "publishers" / "demo" / assumptions.FILE
        shutil.copyfile(stated, self.folder / assumptions.FILE)
        return self

    def want(self, goals: str, initiatives: str = "") -> "Small":
        """Wants these goals, and does these initiatives for them; both as YAML."""
        (self.folder / "goals.yml").write_text(goals)
        if initiatives:
            (self.folder / "initiatives.yml").write_text(initiatives)
        return self

    def add(self, feed: str, *rows: Row) -> Path:
        """Writes the rows to a new file of the feed, an hour younger than the one before."""
        at = FIRST_FILE_AT + dt.timedelta(hours=self.files)
        path = self.put(feed, f"{feed}-{self.files:04}.jsonl", rows, at)
        self.files += 1
        return path

    def put(self, feed: str, name: str, rows: Sequence[Row], modified_at: dt.datetime) -> Path:
        """Writes the rows to a file of that name and time, in place of one that lies there."""
        path = self.data / name
        # Every key in every row, as exports with a schema have it.
        empty = dict.fromkeys(column.name for column in contracts()[feed].columns)
        path.write_text("".join(json.dumps(empty | dict(row)) + "\n" for row in rows))
        os.utime(path, (modified_at.timestamp(), modified_at.timestamp()))
        return path

    def copied(self, folder: Path) -> "Small":
        """A copy of the publisher in another folder, with the same times of its files."""
        shutil.copytree(self.folder, folder, symlinks=True)
        other = object.__new__(Small)
        other.__dict__ |= self.__dict__
        other.folder, other.path, other.data = folder, folder / "publisher.yml", folder / "data"
        other.home = Home(folder / "home")
        return other

    def opened(self, **asked: Any) -> AbstractContextManager[Refresh]:
        """The refresh of this publisher, to run its steps one by one."""
        return refresh.opened(self.home, publisher.load(self.path), **asked)

    def refresh(self, *, tests: bool = True, **asked: Any) -> Refresh:
        """One refresh from landing to publishing; errors stay in the refresh returned."""
        try:
            with self.opened(**asked) as run:
                for feed in run.publisher.feeds:
                    refresh.land(run, feed)
                if refresh.has_work(run):
                    planned = refresh.prepare_models(run)
                    refresh.gate_in(run)
                    build(run, is_full=planned.is_full, tests=tests)
                    refresh.publish(run)
        except ArvoError:
            if run.error is None:
                raise
        return run

    def build(self, only: str = "", **asked: Any) -> Plan:
        """Lands what is new and builds the models, past the gate and publishing.

        Args:
            only: The models wanted, as dbt is asked for them, when not all are.
            asked: What else the refresh is asked for.
        """
        with self.opened(**asked) as run:
            for feed in run.publisher.feeds:
                refresh.land(run, feed)
            refresh.has_work(run)
            planned = refresh.prepare_models(run)
            build(run, is_full=planned.is_full, tests=False, only=only)
            run.verdict = reports.PUBLISHED
        return planned

    def die(self, *, before: str, **asked: Any) -> None:
        """A refresh that is killed before the "models" or, the others built, before the "marts"."""
        with self.opened(**asked) as run:
            for feed in run.publisher.feeds:
                refresh.land(run, feed)
            refresh.has_work(run)
            planned = refresh.prepare_models(run)
            if before == "marts":
                arguments = _without_tests(replace(planned, changed_feeds=None))
                # Models that read a mart cannot be built before it.
                arguments += ["--exclude", "path:models/marts+"]
                assert invoke(run.home, arguments, run.home.build / "dbt")

    def built(self) -> dict[str, list[tuple[Any, ...]]]:
        """All rows of what the models built but those that tell of refreshes."""
        with warehouse.connect(self.home, read_only=True) as connection:
            tables = connection.execute(
                "select table_schema || '.' || table_name from information_schema.tables "
                "where table_schema in ('marts', 'intermediate', 'staging') "
                "and not list_contains(?, table_name) order by all",
                [list(TELL_OF_REFRESHES)],
            ).fetchall()
            rows = {
                name: connection.execute(f"select * from {name} order by all").fetchall()
                for (name,) in tables
            }
            rows["staging.stg_events"] = connection.execute(
                f"{_of_all_events(connection)} order by all"
            ).fetchall()
            rows["marts.data_assets"] = connection.execute(
                f"select {OF_ROWS} from marts.data_assets order by all"
            ).fetchall()
            return rows

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """What a query over the published marts returns."""
        with duckdb.connect(
            str(self.home.published / "marts.duckdb"), read_only=True
        ) as connection:
            return connection.execute(sql).fetchall()

    def marts(self) -> dict[str, list[tuple[Any, ...]]]:
        """All rows of all published marts but those that tell of refreshes."""
        names = [name for name in models.marts() if name not in TELL_OF_REFRESHES]
        return {name: self.rows(f"select * from {name} order by all") for name in names}


# What landing holds, and when it was refreshed, depends on how the rows arrived.
TELL_OF_REFRESHES = (
    "refreshes",
    "quality_results",
    "data_assets",
    "landed_files",
    "restatements",
)
# What data_assets tells of the rows alone.
OF_ROWS = "feed, is_configured, first_day, last_day, days_covered, days_missing, freshness_days"


def build(run: Refresh, *, is_full: bool, tests: bool = True, only: str = "") -> None:
    """Runs dbt in this process and stamps the build."""
    planned = replace(run.planned or Plan(is_full, (), ()), is_full=is_full)
    arguments = models.build_arguments(planned) if tests else _without_tests(planned)
    arguments += ["--select", only] if only else []
    target = run.home.build / "dbt"
    with run.step("model"):
        is_built = invoke(run.home, arguments, target)
        if not is_built:
            why = models.message(target, run.folder / "dbt.log")
            refresh.model_failed(run, models.failures(run.home, target), why)
            raise run.error or AssertionError
        refresh.stamp(run)


def _of_all_events(connection: duckdb.DuckDBPyConnection) -> str:
    """The query of stg_events, which a refresh asks of nearby days only, over all of them."""
    found = connection.execute(
        "select sql from duckdb_views() where view_name = 'stg_events'"
    ).fetchone()
    assert found is not None
    _, query = found[0].rstrip("; \n").split(" AS ", 1)
    assert "nearby_events" in query
    return f"select * from ({query.replace('nearby_events', 'all_events')})"


def _without_tests(planned: Plan) -> list[str]:
    """What a refresh asks of dbt, but the tests of the models and the files about it."""
    _, *arguments = models.build_arguments(planned)
    arguments = [a for a in arguments if a not in ("--exclude-resource-type", "unit_test")]
    return ["run", "--no-write-json", *arguments]


def invoke(home: Home, arguments: Sequence[str], target: Path) -> bool:
    """One dbt command in this process; whether it succeeded."""
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt.adapters.factory import reset_adapters
    from dbt.cli.main import dbtRunner

    from tests.refresh import shortcuts

    manifest = parsed_project()
    for node in manifest.nodes.values():
        # What the invocation before noted: dbt would take the ephemeral parts for written in.
        if getattr(node, "extra_ctes", None):
            node.extra_ctes, node.extra_ctes_injected = [], False
    settings.export(models.environment(home))
    project = str(settings.dbt_project_dir())
    where = ["--project-dir", project, "--profiles-dir", project]
    where += ["--target-path", str(target), "--log-path", str(target), "--log-level", "none"]
    # An adapter left by the invocation before still points to that one's home.
    reset_adapters()  # type: ignore[no-untyped-call]
    try:
        with shortcuts.taken():
            done = dbtRunner(manifest=manifest).invoke([*arguments, *where])
    finally:
        # The runner would keep the warehouse locked.
        DuckDBConnectionManager.close_all_connections()  # type: ignore[no-untyped-call]
    if not done.success:
        print(done.exception or "", *(r.message for r in done.result or () if r.message), sep="\n")
    return bool(done.success)


@cache
def parsed_project() -> Any:
    """The parsed project: parsing takes dbt longer than building a small publisher."""
    from dbt.cli.main import dbtRunner

    from orchestration import dbt_command

    dbt_command.share_parse()
    project = str(settings.dbt_project_dir())
    settings.export(models.environment(models.PARSED_FOR))
    where = ["--project-dir", project, "--profiles-dir", project]
    # In a folder of its own: dbt writes what it parsed in place, and another process may read it.
    with tempfile.TemporaryDirectory() as target:
        models.hand_over_parse(Path(target))
        parsed = dbtRunner().invoke(["parse", *where, "--quiet", "--target-path", target])
    # It stays until the end: nothing in it is garbage.
    gc.freeze()
    return parsed.result


def page_view(event_id: str, visitor: str, at: str, **more: Any) -> Row:
    """A page view event."""
    row = {"event_id": event_id, "visitor_id": visitor, "occurred_at": at}
    return {**row, "event_type": "page_view", "device": "mobile", "placement": "article", **more}


def subscription(name: str, account: str, started_at: str, **more: Any) -> Row:
    """A period of a monthly subscription at 10 euros, open unless told otherwise."""
    row = {"subscription_id": name, "account_id": account, "started_at": started_at}
    priced = {"plan": "digital", "status": "active", "amount": 10, "currency": "EUR"}
    return {**row, **priced, "billing_period": "month", **more}


def payment(name: str, account: str, at: str, amount: float, **more: Any) -> Row:
    """A payment for a subscription."""
    row = {"payment_id": name, "account_id": account, "paid_at": at, "amount": amount}
    return {**row, "currency": "EUR", "kind": "subscription", **more}


def bill(day: str, revenue: float, **more: Any) -> Row:
    """A billed line of advertising revenue on article pages."""
    row = {"day": day, "placement": "article", "revenue": revenue, "currency": "EUR"}
    return {**row, "impressions": 1000, **more}
