"""The data docs of one refresh: what was checked, what was found, why it matters.

Holds one self-contained page: no script, no style sheet or picture from elsewhere, so that it
reads the same offline and calls nobody. What is shown was judged by gate.py.
"""

import html
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from orchestration import batches
from quality.gate import CheckResult, Verdict

PAGE = "index.html"
VERDICTS = {
    "published": "Nothing refused it, so readers see these marts.",
    "refused": "A check refused it: readers still see what was published before.",
    "failed": "It broke before it could publish: readers still see what was published before.",
}
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
COLUMNS = (
    "Check",
    "Severity",
    "Result",
    "Observed",
    "Expected",
    "Why it matters",
    "Offending keys",
)
STYLE = """
:root { color-scheme: light dark; --line: #8886; --bad: #b3261e; --warn: #8a5a00; --good: #1b6e3c; }
@media (prefers-color-scheme: dark) { :root { --bad: #ff8a80; --warn: #ffc266; --good: #7ddc9f; } }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 84rem; padding: 0 1rem; }
h1 { font-size: 1.5rem; overflow-wrap: anywhere; } h2 { font-size: 1.2rem; margin-top: 2.5rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1.2rem; }
dd { margin: 0; } .wide { overflow-x: auto; } .reason { max-width: 60rem; }
table { border-collapse: collapse; width: 100%; }
caption { text-align: left; font-weight: 600; padding: .8rem 0 .3rem; }
th, td { border-bottom: 1px solid var(--line); padding: .3rem .6rem; text-align: left;
  vertical-align: top; overflow-wrap: anywhere; min-width: 5rem; }
th { font-weight: 600; } .wordy { min-width: 16rem; }
.failed, .refused { color: var(--bad); } .warned { color: var(--warn); }
.passed, .published { color: var(--good); } .state { font-weight: 600; white-space: nowrap; }
td ul { margin: 0; padding-left: 1.1rem; } code { font-size: .85em; }
"""


def write_report(folder: Path, verdicts: Sequence[Verdict], refresh: Mapping[str, Any]) -> Path:
    """Writes the page of a refresh, whole or not at all.

    Args:
        folder: The refresh's report folder; made when it is missing.
        verdicts: What the gate and the models' tests said, in their order.
        refresh: The refresh's row of the mart `refreshes`; with a `publisher`, it is named.

    Returns:
        The page's path.
    """
    folder.mkdir(parents=True, exist_ok=True)
    batches.write_whole(folder / PAGE, page(verdicts, refresh))
    return folder / PAGE


def page(verdicts: Sequence[Verdict], refresh: Mapping[str, Any]) -> str:
    """The page's HTML; whatever comes from data is escaped."""
    refresh_id, verdict = _text(refresh["refresh_id"]), _text(refresh["verdict"])
    publisher = f"{_text(refresh['publisher'])}: " if refresh.get("publisher") else ""
    told = _text(VERDICTS.get(str(refresh["verdict"]), ""))
    reason = f'<p class="reason">{_text(refresh["reason"])}</p>' if refresh.get("reason") else ""
    summary = "".join(
        f"<dt>{label}</dt><dd>{_text(refresh.get(name))}</dd>" for name, label in SUMMARY.items()
    )
    stages = "".join(_stage(each) for each in verdicts)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{publisher}refresh {refresh_id}, {verdict}</title><style>{STYLE}</style></head>"
        f'<body><main><h1>{publisher}refresh {refresh_id}, <span class="{verdict}">{verdict}'
        f"</span></h1><p>{told}</p>{reason}<dl>{summary}</dl>"
        f"{stages or '<p>No check was run.</p>'}</main></body></html>\n"
    )


def _stage(verdict: Verdict) -> str:
    title = STAGES.get(verdict.stage, verdict.stage)
    refusals = "".join(f"<li>{_text(each)}</li>" for each in verdict.refusals)
    refused = f'<p class="refused">What refused it:</p><ul>{refusals}</ul>' if refusals else ""
    tables = "".join(_table(suite, results) for suite, results in _suites(verdict.results))
    return f"<section><h2>{_text(title)}</h2>{_counts(verdict)}{refused}{tables}</section>"


def _counts(verdict: Verdict) -> str:
    """How many checks there were, and what became of them."""
    failed = [each for each in verdict.results if not each.is_passed]
    refusing = sum(1 for each in failed if each.severity == "critical")
    return (
        f"<p>{len(verdict.results)} checks: {len(verdict.results) - len(failed)} passed, "
        f"{refusing} refused, {len(failed) - refusing} only warned.</p>"
    )


def _suites(results: Sequence[CheckResult]) -> list[tuple[str, list[CheckResult]]]:
    """Results by suite, otherwise in their order: what failed first, the worst of it before."""
    by_suite: dict[str, list[CheckResult]] = {}
    for each in sorted(results, key=_gravity):
        by_suite.setdefault(each.suite, []).append(each)
    return list(by_suite.items())


def _gravity(result: CheckResult) -> int:
    if result.is_passed:
        return 2
    return 1 if result.severity == "warning" else 0


def _table(suite: str, results: Sequence[CheckResult]) -> str:
    head = "".join(f'<th scope="col">{name}</th>' for name in COLUMNS)
    rows = "".join(_rows(results))
    name = _text(suite)
    return (
        # What scrolls sideways must be reachable by keyboard.
        f'<div class="wide" role="region" aria-label="{name}" tabindex="0">'
        f"<table><caption>{name}</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _rows(results: Sequence[CheckResult]) -> Iterator[str]:
    for each in results:
        state, words = _state(each)
        observed = each.error if each.error is not None else each.observed
        yield (
            f'<tr><th scope="row">{_text(each.check_name)}</th>'
            f"<td>{_text(each.severity)}</td>"
            f'<td class="state {state}">{words}</td><td>{_text(observed)}</td>'
            f'<td>{_text(each.expected)}</td><td class="wordy">{_text(each.reason)}</td>'
            f"<td>{_keys(each.offending_keys)}</td></tr>"
        )


def _state(result: CheckResult) -> tuple[str, str]:
    """Class of the cell and what it says; colour alone tells nobody anything."""
    if result.is_passed:
        return "passed", "passed"
    if result.error is not None:
        return "failed", "could not run"
    return ("warned" if result.severity == "warning" else "failed"), "failed"


def _keys(keys: Sequence[str]) -> str:
    items = "".join(f"<li><code>{_text(key)}</code></li>" for key in keys)
    return f"<ul>{items}</ul>" if items else "–"


def _text(value: object) -> str:
    return "–" if value is None else html.escape(str(value))
