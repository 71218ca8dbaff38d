"""The metrics there are, read from the files that state them: models/metrics/<metric>.yml.

Holds what is said about a metric. How it is computed is its .sql beside it; what a publisher wants
of it is goals.py's.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from orchestration import settings
from orchestration.errors import ConfigurationError

DIRECTIONS = ("up", "down")
KINDS = ("stock", "flow", "ratio")
GRAINS = ("day", "month")
MEASURES = ("value", "volume")
DEFAULT_WINDOW_DAYS = 28
NEEDED = ("label", "unit", "direction", "kind", "grain", "measures", "owner")
OPTIONAL = ("range", "minimum_n", "window_days", "segment_types", "deprecated")
# What a metric is of when nothing is said: everything.
WHOLE = ("all", "(all)")


@dataclass(frozen=True)
class Metric:
    """One metric, as its YAML states it.

    Attributes:
        name: Name of its files and in every mart.
        label: What people call it.
        meaning: What it says, in a sentence or two.
        unit: What its value counts.
        direction: up or down: which way is good.
        kind: stock (the last value stands), flow (values add up) or ratio (sums are divided).
        grain: day or month: how fine it is known.
        measures: value, or only volume (use without regard to what it is worth).
        owner: Role that answers for its definition.
        lowest: Least value it can have; None where there is none.
        highest: Greatest value it can have; None where there is none.
        minimum_n: Below so many observations it is not compared.
        window_days: Days over which a goal looks at a ratio of days.
        segment_types: What it is split by, besides the whole.
        deprecated: What to use instead; empty while it is in use.
    """

    name: str
    label: str
    meaning: str
    unit: str
    direction: str
    kind: str
    grain: str
    measures: str
    owner: str
    lowest: float | None
    highest: float | None
    minimum_n: int
    window_days: int
    segment_types: tuple[str, ...]
    deprecated: str


def folder() -> Path:
    """Where the metrics lie."""
    return settings.dbt_project_dir() / "models" / "metrics"


def metrics() -> Mapping[str, Metric]:
    """Every metric by name, in the order of the names.

    Raises:
        ConfigurationError: With one paragraph for each mistake in their files.
    """
    return _read(folder())


@cache
def _read(where: Path) -> Mapping[str, Metric]:
    found: dict[str, Metric] = {}
    problems: list[str] = []
    for path in sorted(where.glob("*.sql")):
        stated = path.with_suffix(".yml")
        if not stated.exists():
            problems.append(f"{path}: says how a metric is computed, but {stated.name} is missing.")
            continue
        metric, wrong = _metric(stated)
        found[path.stem] = metric
        problems += wrong
    for path in sorted(where.glob("*.yml")):
        if not path.with_suffix(".sql").exists():
            problems.append(f"{path}: states a metric, but {path.stem}.sql is missing.")
    if problems:
        raise ConfigurationError("\n\n".join(problems))
    return found


def _metric(path: Path) -> tuple[Metric, list[str]]:
    """The metric that a file states, and what is wrong with it."""
    model: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))["models"][0]
    meta: dict[str, Any] = model.get("config", {}).get("meta", {})
    lowest, highest = meta["range"] if _is_range(meta.get("range")) else (None, None)
    metric = Metric(
        name=path.stem,
        meaning=" ".join(str(model.get("description", "")).split()),
        **{key: str(meta.get(key, "")) for key in NEEDED},
        lowest=lowest,
        highest=highest,
        minimum_n=int(meta.get("minimum_n", 1)),
        window_days=int(meta.get("window_days", DEFAULT_WINDOW_DAYS)),
        segment_types=tuple(meta.get("segment_types", ())),
        deprecated=str(meta.get("deprecated", "")),
    )
    return metric, [f"{path}: {wrong}" for wrong in _problems(metric, str(model["name"]), meta)]


def _is_range(stated: Any) -> bool:
    return (
        isinstance(stated, list)
        and len(stated) == 2
        and all(end is None or isinstance(end, (int, float)) for end in stated)
        and (None in stated or stated[0] < stated[1])
    )


def _problems(metric: Metric, stated: str, meta: Mapping[str, Any]) -> Iterator[str]:
    if stated != metric.name:
        yield f"states '{stated}'; a metric's files and its name are the same."
    if not metric.meaning:
        yield "has no description: say in a sentence what the metric means."
    for key in NEEDED:
        if not meta.get(key):
            yield f"states no {key} under config.meta."
    for key in meta:
        if key not in (*NEEDED, *OPTIONAL):
            yield f"has no '{key}' under config.meta; it may have {', '.join(NEEDED + OPTIONAL)}."
    if "range" in meta and not _is_range(meta["range"]):
        yield f"range is {meta['range']}; it is [lowest, highest], null for an end that is open."
    for key, known in (
        ("direction", DIRECTIONS),
        ("kind", KINDS),
        ("grain", GRAINS),
        ("measures", MEASURES),
    ):
        if meta.get(key) and meta[key] not in known:
            yield f"{key} is '{meta[key]}'; it is one of {', '.join(known)}."
