"""What a publisher assumes and nobody has observed: assumptions.yml beside publisher.yml.

Holds the list of assumptions there are, and reads a publisher's. What the models make of them is
the dbt project's. An assumption nobody stated and that has no usual value stays unknown, and so
does what rests on it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from orchestration import texts

FILE = "assumptions.yml"
KEYS = ("low", "base", "high", "because")
# One in C is ten times as fast; it is not everywhere.
_LOADER: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Kind:
    """An assumption that may be made.

    Attributes:
        name: How assumptions.yml and the mart `assumptions` call it.
        unit: What its number counts.
        meaning: What it says, in a sentence.
        most: Largest value that makes sense; the smallest is 0.
        usual: Its value where the publisher states none; None leaves it unknown.
    """

    name: str
    unit: str
    meaning: str
    most: float
    usual: float | None = None


KINDS = (
    Kind(
        "subscription_margin",
        "share",
        "Contribution margin of subscription revenue: what is left of a euro after what the "
        "subscription itself costs.",
        1,
    ),
    Kind(
        "purchase_margin",
        "share",
        "Contribution margin of single purchases: what is left of a euro after what the purchase "
        "itself costs.",
        1,
    ),
    Kind(
        "annual_discount_rate",
        "share a year",
        "What money a year from now is worth less than today's.",
        1,
        0.10,
    ),
    Kind(
        "horizon_weeks",
        "weeks",
        "How far into the future single purchases count.",
        1040,
        260,
    ),
    Kind(
        "trial_conversion_days",
        "days",
        "How long after its start a trial may still become a paid subscription to count as "
        "converted.",
        365,
        30,
    ),
    Kind(
        "referral_incremental_share",
        "share",
        "Referred customers who would not have come otherwise: they credit their value, the "
        "others the saved acquisition cost.",
        1,
    ),
    Kind(
        "saved_acquisition_cost",
        "reporting currency",
        "What it would have cost to win a referred customer who would have come anyway, where "
        "the costs feed does not tell.",
        100_000,
    ),
    Kind(
        "mention_reach",
        "people",
        "People who see a public mention whose reach the source does not give.",
        100_000_000,
    ),
    Kind(
        "mention_click_share",
        "share",
        "Those of a public complaint's reach who take notice of it.",
        1,
    ),
    Kind(
        "detractor_reach",
        "people",
        "People whom a detractor tells.",
        10_000,
    ),
    Kind(
        "negative_loss_probability",
        "share",
        "Those who took notice of a complaint or were told, and whose value is lost for it.",
        1,
    ),
)


@dataclass(frozen=True)
class Assumption:
    """One assumption as it reaches the models.

    Attributes:
        kind: Which one.
        low: Lower end of what is thought possible; None while unknown.
        base: The value to reckon with.
        high: Upper end.
        because: Where the numbers come from, in the publisher's words.
        is_stated: Whether the publisher stated it; else it is the usual value, or unknown.
    """

    kind: Kind
    low: float | None
    base: float | None
    high: float | None
    because: str
    is_stated: bool


def unstated() -> tuple[Assumption, ...]:
    """Every assumption of a publisher who states none."""
    return tuple(_usual(kind) for kind in KINDS)


def read(path: Path) -> tuple[tuple[Assumption, ...], tuple[str, ...]]:
    """The assumptions stated in that file, if it is there, and every problem found in it.

    Args:
        path: assumptions.yml: name → a number, or a mapping of low, base, high and because.
    """
    if not path.exists():
        return unstated(), ()
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER)  # noqa: S506
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        told = " ".join(str(error).split())
        return unstated(), (f"{path}: cannot be read ({told}). Mend it, or take it away.",)
    if document is None:
        return unstated(), ()
    if not isinstance(document, dict):
        return unstated(), (
            f"{path}: must be a mapping of assumptions, as in annual_discount_rate: 0.1.",
        )
    stated = {str(name): entry for name, entry in document.items()}
    problems = [*_unknown(path, stated)]
    found = []
    for kind in KINDS:
        if kind.name not in stated:
            found.append(_usual(kind))
            continue
        assumption, problem = _stated(kind, stated[kind.name])
        found.append(assumption)
        if problem:
            problems.append(f"{path}: '{kind.name}' {problem}")
    return tuple(found), tuple(problems)


def _usual(kind: Kind) -> Assumption:
    because = "usual value; the publisher states none" if kind.usual is not None else ""
    return Assumption(kind, kind.usual, kind.usual, kind.usual, because, is_stated=False)


def _unknown(path: Path, stated: Mapping[str, Any]) -> Iterator[str]:
    names = [kind.name for kind in KINDS]
    for name in stated:
        if name not in names:
            yield f"{path}: there is no assumption '{name}'. {texts.nearest(name, names)}"


def _stated(kind: Kind, entry: Any) -> tuple[Assumption, str]:
    """The assumption, and what is wrong with it."""
    given = entry if isinstance(entry, dict) else {"base": entry}
    unknown = [str(key) for key in given if key not in KEYS]
    if unknown:
        return _usual(kind), f"has no '{unknown[0]}'; it may have {', '.join(KEYS)}."
    base = given.get("base")
    stated = [given.get("low", base), base, given.get("high", base)]
    numbers = [float(n) for n in stated if isinstance(n, int | float) and not isinstance(n, bool)]
    if len(numbers) < len(stated):
        return _usual(kind), (
            "needs a number, or low, base and high as numbers, as in "
            "{low: 0.1, base: 0.2, high: 0.3, because: our survey of 2025}."
        )
    low, base, high = numbers
    if not 0 <= low <= base <= high <= kind.most:
        return _usual(kind), (
            f"must be 0 <= low <= base <= high <= {kind.most:,g} ({kind.unit}), but is "
            f"{low:g}, {base:g}, {high:g}."
        )
    return Assumption(kind, low, base, high, str(given.get("because", "")), is_stated=True), ""
