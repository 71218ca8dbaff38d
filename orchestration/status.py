"""How a home stands: its published versions and its last refreshes; the core of `arvo status`.

It only reads and takes no lock.
"""

import datetime as dt
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from orchestration import settings, versions
from orchestration.errors import ArvoError
from orchestration.reports import REPORT
from orchestration.texts import counted, in_one_paragraph, visible

DEFAULT_REFRESHES = 10
UNREADABLE = "unreadable"


@dataclass(frozen=True)
class FailedCheck:
    """A check that did not pass, as the refresh's report has it."""

    stage: str
    suite: str
    check_name: str
    severity: str
    observed: str
    expected: str
    reason: str
    offending_keys: str


@dataclass(frozen=True)
class Refresh:
    """One refresh as its report tells it.

    Attributes:
        refresh_id: Its name, which is also its folder's under `reports/`.
        verdict: published, refused, failed; or unreadable, when the report is damaged.
        reason: Why it was refused or failed; empty when it was published.
        started_at: When it began (UTC); of a damaged report, when that was written.
        finished_at: When it ended (UTC), None when the report does not say.
        as_of_day: The local day its marts stand for.
        batch_count: Batches it landed.
        landed_count: Rows it landed.
        quarantined_count: Rows it put aside.
        steps: Seconds by step.
        failed_checks: Critical ones first.
        check_count: All checks it ran, passed ones too.
    """

    refresh_id: str
    verdict: str
    reason: str
    started_at: dt.datetime
    finished_at: dt.datetime | None = None
    as_of_day: str | None = None
    batch_count: int | None = None
    landed_count: int | None = None
    quarantined_count: int | None = None
    steps: Mapping[str, float] | None = None
    failed_checks: tuple[FailedCheck, ...] = ()
    check_count: int = 0


@dataclass(frozen=True)
class Status:
    """How a home stands.

    Attributes:
        home: The home's folder.
        asked_at: The moment this was true (UTC).
        current: The version readers get, None when there is none.
        as_of_day: The local day that version stands for, None when no report says it.
        problem: Why there is none, None when there is one.
        versions: All versions, newest first.
        refreshes: The last refreshes, newest first.
    """

    home: Path
    asked_at: dt.datetime
    current: versions.Version | None
    as_of_day: str | None
    problem: str | None
    versions: tuple[versions.Version, ...]
    refreshes: tuple[Refresh, ...]


def look(
    home: settings.Home, limit: int = DEFAULT_REFRESHES, now: dt.datetime | None = None
) -> Status:
    """Look at a home: its published versions and its last `limit` refreshes."""
    current, problem = None, None
    try:
        current = versions.current(home.published)
    except ArvoError as error:
        problem = str(error)
    return Status(
        home=home.root,
        asked_at=now or dt.datetime.now(dt.UTC),
        current=current,
        as_of_day=None if current is None else _as_of_day(home.reports, current),
        problem=problem,
        versions=tuple(reversed(versions.versions(home.published))),
        refreshes=tuple(_refreshes(home.reports, limit)),
    )


def as_text(status: Status) -> str:
    """The status for people, in lines."""
    lines = list(_published_lines(status))
    lines += ["", "Last refreshes"] if status.refreshes else ["", "No refresh has run yet."]
    for refresh in status.refreshes:
        lines += _refresh_lines(refresh)
    return "\n".join(lines) + "\n"


def as_json(status: Status) -> dict[str, Any]:
    """The status for machines: plain values, instants in ISO 8601."""
    current = status.current
    return {
        "home": str(status.home),
        "asked_at": status.asked_at.isoformat(),
        "current": None if current is None else _version_json(current),
        "as_of_day": status.as_of_day,
        "age_seconds": None if current is None else _age(status, current).total_seconds(),
        "problem": status.problem,
        "versions": [_version_json(version) for version in status.versions],
        "refreshes": [_refresh_json(refresh) for refresh in status.refreshes],
    }


def _refreshes(reports: Path, limit: int) -> list[Refresh]:
    written = [(_written_at(path), path) for path in reports.glob(f"*/{REPORT}")]
    newest = sorted(written, reverse=True)[:limit]
    found = [_refresh(path, written_at) for written_at, path in newest]
    return sorted(found, key=lambda refresh: refresh.started_at, reverse=True)


def _as_of_day(reports: Path, version: versions.Version) -> str | None:
    path = reports / version.refresh_id / REPORT
    return _refresh(path, version.published_at).as_of_day if path.is_file() else None


def _written_at(path: Path) -> dt.datetime:
    return dt.datetime.fromtimestamp(path.stat().st_mtime, tz=dt.UTC)


def _refresh(path: Path, written_at: dt.datetime) -> Refresh:
    try:
        return _from_report(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        # One damaged report must not hide how the others stand.
        return Refresh(
            refresh_id=path.parent.name,
            verdict=UNREADABLE,
            reason=f"Its report {path} cannot be read: {type(error).__name__}: {error}.",
            started_at=written_at,
        )


def _from_report(report: Mapping[str, Any]) -> Refresh:
    results = report.get("results") or []
    failed = [_failed_check(result) for result in results if not result["is_passed"]]
    started_at = _instant(report["started_at"])
    if started_at is None:
        raise ValueError("started_at is empty")
    return Refresh(
        refresh_id=str(report["refresh_id"]),
        verdict=str(report["verdict"]),
        reason=str(report.get("reason") or ""),
        started_at=started_at,
        finished_at=_instant(report.get("finished_at")),
        as_of_day=report.get("as_of_day"),
        batch_count=report.get("batch_count"),
        landed_count=report.get("landed_count"),
        quarantined_count=report.get("quarantined_count"),
        steps={name: float(each) for name, each in (report.get("steps") or {}).items()},
        failed_checks=tuple(sorted(failed, key=lambda check: check.severity != "critical")),
        check_count=len(results),
    )


def _failed_check(result: Mapping[str, Any]) -> FailedCheck:
    return FailedCheck(
        stage=str(result["stage"]),
        suite=str(result["suite"]),
        check_name=str(result["check_name"]),
        severity=str(result["severity"]),
        observed=_said(result.get("observed")),
        expected=_said(result.get("expected")),
        reason=_said(result.get("reason")),
        offending_keys=_said(result.get("offending_keys")),
    )


def _said(value: object) -> str:
    return "" if value is None else str(value)


def _instant(text: str | None) -> dt.datetime | None:
    """An instant of a report; without an offset it is UTC."""
    if text is None:
        return None
    instant = dt.datetime.fromisoformat(text)
    return instant.astimezone(dt.UTC) if instant.tzinfo else instant.replace(tzinfo=dt.UTC)


def _published_lines(status: Status) -> Iterator[str]:
    current = status.current
    if current is None:
        yield f"Published: none. {status.problem}"
        return
    as_of = f", as of {status.as_of_day}" if status.as_of_day else ""
    yield (
        f"Published: {current.refresh_id} (version {current.sequence}){as_of}, "
        f"{_moment(current.published_at)}, {_ago(_age(status, current))}"
    )
    newer = [version for version in status.versions if version.sequence > current.sequence]
    if newer:
        yield (
            f"  Rolled back: {counted(len(newer), 'newer version')} kept; "
            f"`arvo rollback {newer[0].refresh_id}` goes forward to the newest."
        )
    yield f"  {current.path}"
    yield f"  {counted(len(status.versions), 'version')} kept"


def _refresh_lines(refresh: Refresh) -> Iterator[str]:
    facts = [
        _moment(refresh.started_at),
        _took(refresh),
        refresh.as_of_day and f"as of {refresh.as_of_day}",
        _landed(refresh),
        _checked(refresh),
    ]
    yield f"  {refresh.verdict:<10} {refresh.refresh_id}  {', '.join(filter(None, facts))}"
    if refresh.reason:
        yield f"    {visible(in_one_paragraph(refresh.reason))}"
    if refresh.verdict != "published":
        for check in refresh.failed_checks:
            yield from _check_lines(check)


def _check_lines(check: FailedCheck) -> Iterator[str]:
    figures = f": observed {check.observed}, expected {check.expected}" if check.observed else ""
    head = f"{check.severity}: {check.stage}/{check.suite}/{check.check_name}{figures}"
    yield f"    - {visible(head)}"
    if check.reason:
        yield f"      {visible(in_one_paragraph(check.reason))}"
    if check.offending_keys:
        yield f"      offending: {visible(check.offending_keys)}"


def _took(refresh: Refresh) -> str:
    if refresh.finished_at is None:
        return ""
    return f"took {_span(refresh.finished_at - refresh.started_at)}"


def _landed(refresh: Refresh) -> str:
    if refresh.batch_count is None:
        return ""
    if refresh.batch_count == 0:
        return "nothing new"
    return (
        f"{counted(refresh.batch_count, 'batch', 'batches')}, "
        f"{counted(refresh.landed_count or 0, 'row')} landed, "
        f"{refresh.quarantined_count or 0:,} quarantined"
    )


def _checked(refresh: Refresh) -> str:
    if not refresh.check_count:
        return ""
    failed = len(refresh.failed_checks)
    return f"{refresh.check_count - failed:,} of {counted(refresh.check_count, 'check')} passed"


def _moment(instant: dt.datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M} UTC"


def _age(status: Status, version: versions.Version) -> dt.timedelta:
    return status.asked_at - version.published_at


def _ago(age: dt.timedelta) -> str:
    return f"{_span(age)} ago"


def _span(span: dt.timedelta) -> str:
    """A span in its largest two units."""
    seconds = max(0, round(span.total_seconds()))
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if minutes == 0:
        return f"{seconds} s"
    if hours == 0:
        return f"{minutes} min {seconds % 60} s"
    if days == 0:
        return f"{hours} h {minutes % 60} min"
    return f"{counted(days, 'day')} {hours % 24} h"


def _version_json(version: versions.Version) -> dict[str, Any]:
    return {
        "sequence": version.sequence,
        "refresh_id": version.refresh_id,
        "path": str(version.path),
        "is_current": version.is_current,
        "published_at": version.published_at.isoformat(),
    }


def _refresh_json(refresh: Refresh) -> dict[str, Any]:
    values = asdict(refresh)
    for name in ("started_at", "finished_at"):
        instant = values[name]
        values[name] = None if instant is None else instant.isoformat()
    return values
