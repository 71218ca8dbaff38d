"""The report a refresh leaves, and what later refreshes and marts take from earlier ones.

A report is `reports/<refresh id>/report.json` in the home, written whole or not at all; while
its refresh runs, its verdict is `running`.
"""

import datetime as dt
import json
import shutil
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from orchestration import batches, settings, versions, warehouse
from orchestration.settings import Home
from quality import identifiers
from quality.gate import CheckResult, Verdict

if TYPE_CHECKING:
    from orchestration.refresh import Refresh

REPORT = "report.json"
RUNNING, PUBLISHED, REFUSED, FAILED, NOTHING_NEW = (
    "running",
    "published",
    "refused",
    "failed",
    "nothing new",
)
KEPT_REPORTS = 200
# Results of so many refreshes stay in quality_results.
KEPT_HISTORY = 60


def refresh_row(run: "Refresh") -> dict[str, Any]:
    """The refresh as a row of the mart `refreshes`."""
    return {
        "refresh_id": run.refresh_id,
        "started_at": run.started_at,
        "finished_at": settings.utc_now(),
        "as_of_day": run.as_of_day,
        "verdict": run.verdict,
        "batch_count": len(run.new_batches),
        "landed_count": sum(m.landed_count for m in run.new_batches),
        "quarantined_count": sum(m.quarantined_count for m in run.new_batches),
        # A refusal may quote a row; the marts it is published with may not.
        "reason": identifiers.withheld(run.reason)[0] or None,
    }


def result_rows(run: "Refresh") -> list[dict[str, Any]]:
    """The refresh's check results as rows of the mart `quality_results`."""
    rows = []
    for verdict in run.verdicts:
        for result in verdict.results:
            row = asdict(result)
            error = row.pop("error")
            row["observed"] = row["observed"] if error is None else error
            # dbt's failing rows, unlike the gate's, have not been looked at yet.
            keys = ", ".join(identifiers.withheld(*result.offending_keys))
            row["offending_keys"] = keys or None
            rows.append({"refresh_id": run.refresh_id, **row})
    return rows


def write(run: "Refresh") -> None:
    """Writes the report, whole or not at all."""
    report = {
        **refresh_row(run),
        "publisher": run.publisher.name,
        "build_key": run.wanted.key if run.wanted else None,
        "steps": run.steps,
        "results": result_rows(run),
    }
    run.folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(report, indent=1, default=_plain, ensure_ascii=False)
    batches.write_whole(run.folder / REPORT, text + "\n")


def read_all(home: Home) -> list[dict[str, Any]]:
    """Reports of earlier refreshes, oldest first; a damaged one is left out."""
    found = []
    for path in sorted(home.reports.glob(f"*/{REPORT}")):
        with suppress(OSError, ValueError):
            report = json.loads(path.read_text(encoding="utf-8"))
            if isinstance(report, dict) and "refresh_id" in report:
                found.append(report)
    return found


def history(home: Home) -> dict[str, list[tuple[object, ...]]]:
    """Earlier refreshes and their check results as rows for the warehouse."""
    ended = [r for r in read_all(home) if r.get("verdict") in (PUBLISHED, REFUSED, FAILED)]
    rows: dict[str, list[tuple[object, ...]]] = {}
    for name, definition in warehouse.HISTORY_COLUMNS.items():
        columns = [column.split()[0] for column in definition.split(", ")]
        kept = ended if name == "refreshes" else ended[-KEPT_HISTORY:]
        items = kept if name == "refreshes" else [x for r in kept for x in r.get("results", [])]
        rows[name] = [tuple(item.get(column) for column in columns) for item in items]
    return rows


def last_published_key(home: Home) -> str | None:
    """The build key of the newest published version, rolled back or not."""
    if not (home.published / versions.LINK).exists():
        return None
    newest = versions.versions(home.published)[-1:]
    path = home.reports / newest[0].refresh_id / REPORT if newest else None
    if path is None:
        return None
    with suppress(OSError, ValueError):
        key = json.loads(path.read_text(encoding="utf-8")).get("build_key")
        return str(key) if key else None
    return None


def leave(run: "Refresh") -> None:
    """Leaves the report and the data docs; a refresh that found nothing new leaves none."""
    if run.verdict == NOTHING_NEW:
        shutil.rmtree(run.folder, ignore_errors=True)
        return
    write(run)
    from quality import docs

    named = {**refresh_row(run), "publisher": run.publisher.name}
    docs.write_report(run.folder, run.verdicts, named)
    every = sorted(run.home.reports.glob(f"*/{REPORT}"))
    kept = {version.refresh_id for version in versions.versions(run.home.published)}
    for path in every[:-KEPT_REPORTS]:
        if path.parent.name not in kept:
            shutil.rmtree(path.parent, ignore_errors=True)


def close_killed(home: Home) -> None:
    """Ends what killed refreshes left: reports that still say running, pages never written."""
    for report in read_all(home):
        folder = home.reports / str(report["refresh_id"])
        is_running = report.get("verdict") == RUNNING
        if is_running:
            published = [v.refresh_id for v in versions.versions(home.published)]
            # Killed between the swap and its report: the version is out, and stays.
            is_out = report["refresh_id"] in published
            report["verdict"] = PUBLISHED if is_out else FAILED
            report["reason"] = None if is_out else "the refresh was killed before it ended."
            text = json.dumps(report, indent=1, ensure_ascii=False) + "\n"
            batches.write_whole(folder / REPORT, text)
        if is_running or not any(folder.glob("*.html")):
            from quality import docs

            # A full disk, or a report of another version of arvo, forbids a page, not a refresh.
            with suppress(OSError, LookupError, TypeError):
                docs.write_report(folder, _verdicts(report), report)


def _verdicts(report: dict[str, Any]) -> list[Verdict]:
    """The check results of a report, by stage."""
    stages: dict[str, list[CheckResult]] = {}
    for row in report.get("results", ()):
        told = {key: value for key, value in row.items() if key != "refresh_id"}
        keys = told.pop("offending_keys", None)
        stages.setdefault(told["stage"], []).append(
            CheckResult(**told, offending_keys=(keys,) if keys else ())
        )
    return [Verdict(stage, tuple(results), ()) for stage, results in stages.items()]


def _plain(value: object) -> str:
    if isinstance(value, dt.datetime | dt.date):
        return value.isoformat()
    return str(value)
