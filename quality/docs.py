"""The data docs of one refresh: what was checked, what was found, why it matters.

Holds one self-contained page: no script, no style sheet or picture from elsewhere, so that it
reads the same offline and calls nobody. What is shown was judged by gate.py.
"""

import html
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from quality.gate import CheckResult, Verdict

PAGE = "index.html"
STAGES = {
    "landing": "Landing: the new batches",
    "model": "Models: the tests beside them",
    "marts": "Marts: the file to be published",
}
SUMMARY = {
    "started_at": "Started (UTC)",
    "finished_at": "Ended (UTC)",
    "as_of_day": "As of",
    "batch_count": "Batches landed",
    "landed_count": "Rows landed",
    "quarantined_count": "Rows quarantined",
}
STYLE = """
:root { color-scheme: light dark; --line: #8884; --bad: #b3261e; --warn: #8a5a00; --good: #1b6e3c; }
@media (prefers-color-scheme: dark) { :root { --bad: #ff8a80; --warn: #ffc266; --good: #7ddc9f; } }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 78rem; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.2rem; margin-top: 2.5rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1.2rem; }
dd { margin: 0; } .wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
caption { text-align: left; font-weight: 600; padding: .8rem 0 .3rem; }
th, td { border-bottom: 1px solid var(--line); padding: .3rem .6rem; text-align: left;
  vertical-align: top; overflow-wrap: anywhere; }
th { font-weight: 600; white-space: nowrap; }
.failed, .refused { color: var(--bad); } .warned { color: var(--warn); }
.passed, .published { color: var(--good); } .state { font-weight: 600; white-space: nowrap; }
code { font-size: .85em; }
"""


def write_report(folder: Path, verdicts: Sequence[Verdict], refresh: Mapping[str, Any]) -> Path:
    """Writes the page of a refresh, whole or not at all.

    Args:
        folder: The refresh's report folder.
        verdicts: What the gate and the models' tests said, in their order.
        refresh: The refresh's row of the mart `refreshes`.

    Returns:
        The page's path.
    """
    folder.mkdir(parents=True, exist_ok=True)
    working = folder / f".{PAGE}"
    working.write_text(page(verdicts, refresh), encoding="utf-8")
    return working.replace(folder / PAGE)


def page(verdicts: Sequence[Verdict], refresh: Mapping[str, Any]) -> str:
    """The page's HTML; whatever comes from data is escaped."""
    refresh_id, verdict = _text(refresh["refresh_id"]), _text(refresh["verdict"])
    reason = f"<p>{_text(refresh['reason'])}</p>" if refresh.get("reason") else ""
    summary = "".join(
        f"<dt>{label}</dt><dd>{_text(refresh.get(name))}</dd>" for name, label in SUMMARY.items()
    )
    stages = "".join(_stage(each) for each in verdicts)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Refresh {refresh_id}: {verdict}</title><style>{STYLE}</style></head><body>"
        f'<h1>Refresh {refresh_id}: <span class="{verdict}">{verdict}</span></h1>'
        f"{reason}<dl>{summary}</dl>{stages or '<p>No check was run.</p>'}</body></html>\n"
    )


def _stage(verdict: Verdict) -> str:
    failed = sum(1 for each in verdict.results if not each.is_passed)
    title = STAGES.get(verdict.stage, verdict.stage)
    refusals = "".join(f"<li>{_text(each)}</li>" for each in verdict.refusals)
    refused = f'<p class="refused">It refused:</p><ul>{refusals}</ul>' if refusals else ""
    by_suite = sorted(verdict.results, key=_failed_first)
    tables = "".join(
        _table(suite, tuple(results)) for suite, results in groupby(by_suite, lambda r: r.suite)
    )
    counts = f"<p>{len(verdict.results)} checks, {failed} failed.</p>"
    return f"<section><h2>{_text(title)}</h2>{refused}{counts}{tables}</section>"


def _failed_first(result: CheckResult) -> tuple[str, bool, str]:
    return result.suite, result.is_passed, result.check_name


def _table(suite: str, results: Sequence[CheckResult]) -> str:
    head = "".join(
        f'<th scope="col">{name}</th>'
        for name in ("Check", "Result", "Observed", "Expected", "Why it matters", "Keys")
    )
    rows = "".join(_rows(results))
    return (
        f'<div class="wide"><table><caption>{_text(suite)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _rows(results: Sequence[CheckResult]) -> Iterator[str]:
    for each in results:
        state, words = _state(each)
        keys = "<br>".join(f"<code>{_text(key)}</code>" for key in each.offending_keys)
        observed = each.error if each.error is not None else each.observed
        yield (
            f'<tr><th scope="row">{_text(each.check_name)}</th>'
            f'<td class="state {state}">{words}</td><td>{_text(observed)}</td>'
            f"<td>{_text(each.expected)}</td><td>{_text(each.reason)}</td><td>{keys}</td></tr>"
        )


def _state(result: CheckResult) -> tuple[str, str]:
    if result.is_passed:
        return "passed", "passed"
    if result.error is not None:
        return "failed", "could not run"
    return ("warned", "warns") if result.severity == "warning" else ("failed", "refuses")


def _text(value: object) -> str:
    return "–" if value is None else html.escape(str(value))
