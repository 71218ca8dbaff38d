"""The page of the catalogue, docs/faults.md: what is spoiled, and what the user then reads."""

from collections import Counter
from pathlib import Path

from orchestration import settings
from tests.faults.catalogue import CATALOGUE, CHAPTERS
from tests.faults.fault import OUTCOMES, REFUSED, WARNED, Fault

HEAD = """\
# What happens when something is wrong

The catalogue of seeded faults: each spoils one thing in the demo's files, its configuration, its
home, its marts or the code, and is met as the table says. `make test` seeds every one of them into
a published demo and holds outcome, message and every byte that readers have against this page.

- **quarantined**: the rows named stay out, whole and with the reason, in
  `quarantine/<feed>/<batch_id>.parquet`; all others land.
- **refused** (with the command's exit code): nothing is published, readers keep what they have, and
  the command, `arvo status` and the report say this.
- **warned**: the refresh goes on; `quality_results`, the report and `arvo status` say this.
- **repaired**, **accepted**: the refresh goes on, and this then holds.

An ellipsis stands for what differs from case to case.
"""
FOOT = """
Generated from `tests/faults/catalogue.py` by `python -m tests.faults`; not edited by hand.
"""


def path() -> Path:
    """Where the page lies."""
    return settings.project_root() / "docs" / "faults.md"


def page() -> str:
    """The page as Markdown."""
    counted = Counter(fault.outcome for fault in CATALOGUE)
    counts = ", ".join(f"{counted[outcome]} {outcome}" for outcome in OUTCOMES)
    parts = [HEAD, f"\n{len(CATALOGUE)} faults: {counts}.\n"]
    for chapter in CHAPTERS:
        parts.append(f"\n## {chapter.title}\n\n")
        parts.append("| fault | spoils | outcome | what the user reads, or what then holds |\n")
        parts.append("|---|---|---|---|\n")
        parts += [_row(fault) for fault in chapter.faults]
    return "".join([*parts, FOOT])


def _row(fault: Fault) -> str:
    code = f" ({fault.code})" if fault.outcome == REFUSED else ""
    is_cut = fault.outcome in (REFUSED, WARNED) and not fault.told.endswith((".", "?"))
    told = f"{fault.told} …" if is_cut else fault.told
    cells = (fault.name, fault.spoils, f"{fault.outcome}{code}", told)
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |\n"
