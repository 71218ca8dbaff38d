"""How dbt is run: its manifest, its subprocess, and what its failures mean.

Holds the running only. What the numbers mean is dbt_project/; which days are built is
warehouse.py's; where the models stand in the graph is assets.py's.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import duckdb

from orchestration import metrics, settings, warehouse
from orchestration.errors import SystemFailure
from orchestration.settings import Home
from orchestration.warehouse import Plan
from quality.gate import CheckResult

MANIFEST = "manifest.json"
# The same for dbt to go on from.
PARSED = "partial_parse.msgpack"
# What is parsed names a database, whichever.
PARSED_FOR = Home(Path("nowhere"))
FAILED_STATUSES = ("fail", "error", "runtime error")
OFFENDING_ROWS = 5
PARSE_SECONDS = 180


def environment(home: Home) -> dict[str, str]:
    """Variables that dbt, its profile and what the models in Python call read."""
    return {
        **settings.TELEMETRY_OFF,
        # What dbt prints lies beside the report; writing a log of its own takes as long as tests.
        "DBT_LOG_LEVEL_FILE": "none",
        # The results that tell what failed.
        "DBT_WRITE_JSON": "true",
        # Where dbt leaves the text and the bytecode of the models in Python: the next refresh
        # clears it.
        "TMPDIR": str(home.build / "scratch"),
        "ARVO_WAREHOUSE": str(home.warehouse),
        "ARVO_MEMORY_LIMIT": settings.memory_limit(),
        "ARVO_THREADS": str(settings.threads()),
        # The files a model cannot list: int_metric_days unites them.
        "ARVO_METRICS": " ".join(metrics.metrics()),
        # Sums of floating-point numbers depend on how many threads share them; and a fit's are so
        # short that threads waiting for one another take twenty times as long.
        "OPENBLAS_NUM_THREADS": "1",
    }


def build_arguments(planned: Plan) -> list[str]:
    """What one refresh asks of dbt; formulas are unit tested in the test suite, not here."""
    arguments = ["build", "--exclude-resource-type", "unit_test", "--no-use-colors"]
    if planned.is_full:
        return [*arguments, "--full-refresh"]
    # By their full names: a bare one is that of every model in a folder called the same.
    names = ["fqn:" + ".".join(node["fqn"]) for node in _kept(planned) if not _is_view(node)]
    # Left out, not chosen: Dagster adds a choice of its own to ours, which chooses everything.
    left_out = ["config.materialized:view", *names]
    return [*arguments, "--indirect-selection", "empty", "--exclude", " ".join(left_out)]


def kept_models(planned: Plan) -> dict[str, set[str]]:
    """Models that stay as the last build left them, each with the models it reads; parents first.

    A part of a model is none: what it reads, the model reads.
    """
    kept = [node for node in _kept(planned) if node["resource_type"] == "model"]
    nodes = json.loads(manifest_path().read_text())["nodes"] if kept else {}

    def read_by(node: Mapping[str, Any]) -> Iterator[str]:
        for unique_id in node["depends_on"]["nodes"]:
            parent = nodes.get(unique_id)
            if parent is not None and _is_part(parent):
                yield from read_by(parent)
            elif parent is not None:
                yield parent["name"]

    return {node["name"]: set(read_by(node)) for node in kept}


def feeds_of_metrics() -> dict[str, list[str]]:
    """The feeds each metric is reckoned from, as the graph of the models has it.

    A model may say itself which feeds its rows tell of (config.meta.feeds): the months that there
    are come from several, and say nothing of them.
    """
    manifest = json.loads(manifest_path().read_text())
    parents: Mapping[str, Sequence[str]] = manifest["parent_map"]
    said = {
        unique_id: node["config"]["meta"]["feeds"]
        for unique_id, node in manifest["nodes"].items()
        if "feeds" in node["config"].get("meta", {})
    }
    names = {
        unique_id: "events" if source["name"] in warehouse.MORE_EVENTS else source["name"]
        for unique_id, source in manifest["sources"].items()
        if source["source_name"] == "landing" or source["name"] in warehouse.MORE_EVENTS
    }
    found = {}
    for metric in metrics.metrics():
        reached, ahead, feeds = set[str](), [f"model.arvo.{metric}"], set[str]()
        while ahead:
            unique_id = ahead.pop()
            if unique_id in names:
                feeds.add(names[unique_id])
            if unique_id in said:
                feeds.update(said[unique_id])
            elif unique_id not in reached:
                reached.add(unique_id)
                ahead += parents.get(unique_id, ())
        found[metric] = sorted(feeds)
    return found


def _kept(planned: Plan) -> list[Mapping[str, Any]]:
    """Models and tests that need not run, parents first: what no changed source leads to.

    What Python tells of every run changes with each, and so do the models that read it. A view
    shows by itself what changed below it; a build of other views is a full one.
    """
    if planned.is_full:
        return []
    manifest = json.loads(manifest_path().read_text())
    feeds = planned.changed_feeds
    told = {("landing", feed) for feed in feeds or ()}
    told |= {("run", name) for name in warehouse.TOLD_ANEW}
    if feeds is not None and "events" in feeds:
        told |= {("run", name) for name in warehouse.MORE_EVENTS}
    changed = {
        unique_id
        for unique_id, source in manifest["sources"].items()
        if feeds is None or (source["source_name"], source["name"]) in told
    }
    found = []
    for unique_id in TopologicalSorter(manifest["parent_map"]).static_order():
        if not changed.isdisjoint(manifest["parent_map"].get(unique_id, ())):
            changed.add(unique_id)
        node = manifest["nodes"].get(unique_id)
        # A part of a model that is built is built with it.
        if node is None or _is_part(node):
            continue
        if unique_id not in changed or _is_view(node):
            found.append(node)
    return found


def _is_part(node: Mapping[str, Any]) -> bool:
    is_part: bool = node["config"].get("materialized") == "ephemeral"
    return is_part


def _is_view(node: Mapping[str, Any]) -> bool:
    is_view: bool = node["config"].get("materialized") == "view"
    return is_view


def manifest_path() -> Path:
    """The manifest of the dbt project as it is now, parsed anew when the project changed.

    Raises:
        SystemFailure: dbt cannot parse the project.
    """
    # Not where dbt writes by itself: it does so in place, and whoever runs it by hand as he likes.
    target = settings.dbt_project_dir() / "target" / "arvo"
    path = target / MANIFEST
    digest_path = target / f"{MANIFEST}.digest"
    digest = warehouse.project_digest()
    is_whole = all((target / name).exists() for name in (PARSED, MANIFEST, digest_path.name))
    if is_whole and digest_path.read_text() == digest:
        return path
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target) as working:
        _parse(Path(working))
        for name in (PARSED, MANIFEST):
            (Path(working) / name).replace(target / name)
    digest_path.write_text(digest)
    return path


def hand_over_parse(target: Path) -> None:
    """Lets dbt go on, in the folder it will work in, from what the project was parsed to."""
    target.mkdir(parents=True, exist_ok=True)
    copy = target / f"{PARSED}.copy"
    shutil.copyfile(manifest_path().with_name(PARSED), copy)
    copy.replace(target / PARSED)


def _parse(target: Path) -> None:
    project = str(settings.dbt_project_dir())
    arguments = ["parse", "--project-dir", project, "--profiles-dir", project]
    # dbt reads the profile to parse; it does not open the database.
    variables = environment(PARSED_FOR)
    done = subprocess.run(  # noqa: S603
        [dbt_executable(), *arguments, "--target-path", str(target), "--log-path", str(target)],
        env={**settings.environment(), **variables},
        capture_output=True,
        text=True,
        timeout=PARSE_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        raise SystemFailure(
            f"dbt cannot parse {project}: {' '.join(done.stdout.split())[-800:]} Mend the model "
            "named."
        )


def dbt_executable() -> str:
    """Our dbt (dbt_command.py) beside this Python, so that no activated environment is needed."""
    beside = Path(sys.executable).parent / "arvo-dbt"
    return str(beside) if beside.exists() else shutil.which("arvo-dbt") or "arvo-dbt"


@contextmanager
def quiet(log: Path) -> Iterator[None]:
    """Sends what dbt prints to a log file instead of the user's terminal."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w", encoding="utf-8") as stream, redirect_stdout(stream):
        yield


def failures(home: Home, target: Path) -> list[CheckResult]:
    """The dbt tests that failed, each with up to five rows that show why."""
    return [_result(home, each) for each in _failed(target) if _is_test(each)]


def message(target: Path, log: Path) -> str:
    """Why dbt failed, in a paragraph, given where it noted results and what it printed."""
    failed = _failed(target)
    if not failed:
        # Such as that a dbt whose refresh was killed still has the warehouse open.
        printed = log.read_text(errors="replace").split("\n") if log.exists() else []
        last = next((line for line in reversed(printed) if line.strip()), "nothing")
        return (
            f"dbt ended with an error before any model ran. The last it said was: "
            f"{_one_line(last)}. Refresh again once that is mended; {log} has all it said."
        )
    told = "; ".join(f"{_name(each)}: {_one_line(each.get('message'))}" for each in failed[:5])
    more = f" (and {len(failed) - 5} more)" if len(failed) > 5 else ""
    kind = "tests of the models failed" if _is_test(failed[0]) else "the models could not be built"
    return (
        f"{kind}: {told}{more}. What was published before stays as it is. `arvo status` lists "
        "each failed test with rows that show why."
    )


def results(target: Path) -> list[Mapping[str, Any]]:
    """What dbt noted of each model and test it ran last; empty when it did not get that far."""
    try:
        noted: list[Mapping[str, Any]] = json.loads((target / "run_results.json").read_text())[
            "results"
        ]
    except (OSError, ValueError, KeyError):
        return []
    return noted


def _failed(target: Path) -> list[Mapping[str, Any]]:
    return [each for each in results(target) if each["status"] in FAILED_STATUSES]


def _is_test(result: Mapping[str, Any]) -> bool:
    return str(result["unique_id"]).startswith("test.")


def _name(result: Mapping[str, Any]) -> str:
    return str(result["unique_id"]).split(".")[2]


def _one_line(text: object) -> str:
    told = str(text or "")
    if "Traceback (most recent call last)" in told:
        # Of a model in Python what went wrong stands last.
        first, last = told.splitlines()[0], told.strip().splitlines()[-1]
        told = f"{first}: {last}"
    return " ".join(told.split())[:300]


def _result(home: Home, result: Mapping[str, Any]) -> CheckResult:
    node = _node(result["unique_id"])
    return CheckResult(
        stage="model",
        suite=str(node.get("attached_node") or "models").split(".")[-1],
        check_name=_name(result),
        severity="critical",
        is_passed=False,
        observed=_one_line(result.get("message")),
        expected="no failing row",
        reason=str(node.get("description") or "") or "A fact that must hold of every row.",
        offending_keys=_offending_rows(home, result),
        error=None if result["status"] == "fail" else _one_line(result.get("message")),
    )


def _node(unique_id: str) -> Mapping[str, Any]:
    manifest = json.loads(manifest_path().read_text())
    node: Mapping[str, Any] = manifest["nodes"].get(unique_id, {})
    return node


def _offending_rows(home: Home, result: Mapping[str, Any]) -> tuple[str, ...]:
    """Up to five rows the test's own query returns, as `column: value`."""
    sql = result.get("compiled_code")
    if result["status"] != "fail" or not sql:
        return ()
    try:
        with warehouse.connect(home, read_only=True) as connection:
            cursor = connection.execute(
                f"select * from ({sql}\n) order by all limit {OFFENDING_ROWS}"
            )
            names = [column[0] for column in cursor.description or ()]
            rows = cursor.fetchall()
    except duckdb.Error:
        return ()
    return tuple(
        ", ".join(f"{name}: {value}" for name, value in zip(names, row, strict=True))
        for row in rows
    )


def marts() -> list[str]:
    """Names of the models that are published."""
    nodes = json.loads(manifest_path().read_text())["nodes"].values()
    return sorted(
        node["name"]
        for node in nodes
        if node["resource_type"] == "model" and node["schema"] == "marts"
    )


def summary(target: Path) -> str:
    """What dbt did, in words."""
    noted = results(target)
    tests = sum(1 for each in noted if _is_test(each))
    return f"{len(noted) - tests} models built, {tests} tests passed"
