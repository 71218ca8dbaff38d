"""What a publisher wants: goals.yml beside publisher.yml, one tree from the board to the units.

Holds how a goal is stated and what must be true of the tree before anything runs. Where each goal
stands is the dbt project's.
"""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestration import entries, texts
from orchestration.metrics import WHOLE, Metric

FILE = "goals.yml"
PACES = ("linear", "seasonal")
ROLLUPS = ("own", "sum", "ratio", "weighted")
KEYS = (
    "id",
    "title",
    "parent",
    "unit",
    "owner",
    "metric",
    "segment",
    "baseline",
    "target",
    "start",
    "end",
    "pace",
    "rollup",
    "weight",
)
# Weights are written by hand: a third is .333.
WEIGHTS_MAY_MISS = 0.005
# A year, be it a leap year: a longer season has no year before it to be held against.
LONGEST_SEASON_DAYS = 366


@dataclass(frozen=True)
class Goal:
    """One goal as goals.yml states it.

    Attributes:
        id: Names it in every mart.
        title: What is wanted, in words.
        parent: The goal it serves; None for the top of a tree.
        unit: Who it is split to.
        owner: Role that answers for it.
        metric: What it is measured in; None of a weighted one.
        segment_type: What the metric is split by; all for the whole.
        segment: The segment it is about.
        baseline: The metric's value to begin with (of a flow: what such a period brought before).
        target: The value wanted at the end (of a flow: of the whole period).
        start: First day.
        end: Last day.
        pace: linear, or seasonal: as last year's same period came in.
        rollup: own (its own metric and segment), sum or ratio (recomputed from its children's
            numerators and denominators), weighted (its children's attainments by weight).
        weight: Its part of a weighted parent, or None.
    """

    id: str
    title: str
    parent: str | None
    unit: str
    owner: str
    metric: str | None
    segment_type: str
    segment: str
    baseline: float
    target: float
    start: dt.date
    end: dt.date
    pace: str
    rollup: str
    weight: float | None


def read(path: Path, metrics: Mapping[str, Metric]) -> tuple[tuple[Goal, ...], tuple[str, ...]]:
    """The goals stated in that file, if it is there, and every problem found in it.

    Args:
        path: goals.yml: `goals`, a list of mappings with the keys of `Goal`.
        metrics: The metrics there are.
    """
    listed, wrong = entries.read(path, "goals")
    if wrong:
        return (), (f"{path}: {wrong}",)
    found: list[Goal] = []
    problems: list[str] = []
    for place, stated in enumerate(listed, start=1):
        reader = _Entry(stated, place, metrics)
        goal = reader.goal()
        problems += reader.problems
        if goal is not None:
            found.append(goal)
    # Of a tree with a branch missing little can be said.
    if not problems:
        problems += _tree_problems(found, metrics)
    return tuple(found), tuple(f"{path}: {told}" for told in problems)


class _Entry(entries.Entry):
    """One entry of the list, being read."""

    def __init__(
        self, stated: Mapping[str, Any], place: int, metrics: Mapping[str, Metric]
    ) -> None:
        super().__init__("goal", stated, place, KEYS)
        self.metrics = metrics

    def goal(self) -> Goal | None:
        rollup = self.choice("rollup", ROLLUPS)
        values = {
            "id": self.id(),
            "title": self.text("title", "what is wanted, in words"),
            "parent": self._optional_text("parent"),
            "unit": self.text("unit", "the unit it is split to"),
            "owner": self.text(
                "owner", "the role that answers for it: a goal without an owner is nobody's"
            ),
            **self._measure(rollup),
            "start": self.day("start"),
            "end": self.day("end"),
            "pace": self.choice("pace", PACES),
            "rollup": rollup,
            "weight": self._weight(),
        }
        start, end = values["start"], values["end"]
        if start and end and end <= start:
            self.problem(f"ends on {end}, not after it starts ({start}). Name a later end.")
        if self.problems:
            return None
        goal = Goal(**values)
        self._judge(goal)
        return None if self.problems else goal

    def _optional_text(self, key: str) -> str | None:
        value = self.stated.get(key)
        return None if value is None else str(value)

    def _weight(self) -> float | None:
        if self.stated.get("weight") is None:
            return None
        weight = self.number("weight")
        if not 0 < weight <= 1:
            self.problem(f"has weight {weight:g}. A weight lies above 0 and is at most 1.")
        return weight

    def _measure(self, rollup: str) -> dict[str, Any]:
        """Metric, segment, baseline and target."""
        whole = {"segment_type": WHOLE[0], "segment": WHOLE[1]}
        if rollup == "weighted":
            for key in ("metric", "segment", "baseline", "target"):
                if key in self.stated:
                    self.problem(
                        f"rolls up its children's attainments by weight, so it has no {key} of "
                        f"its own. Take {key} away, or choose another rollup."
                    )
            return {"metric": None, **whole, "baseline": 0.0, "target": 1.0}
        name = self.text("metric", "the metric it is measured in (the mart `metrics` lists them)")
        metric = self.metrics.get(name)
        if name and metric is None:
            self.problem(f"has an unknown metric '{name}'. {texts.nearest(name, self.metrics)}")
        if metric is not None and metric.deprecated:
            self.problem(f"is measured in '{name}', which is deprecated: {metric.deprecated}")
        return {
            "metric": name,
            **(self._segment(metric) if metric is not None else whole),
            "baseline": self.number("baseline"),
            "target": self.number("target"),
        }

    def _segment(self, metric: Metric) -> dict[str, str]:
        value = self.stated.get("segment")
        if value is None:
            return {"segment_type": WHOLE[0], "segment": WHOLE[1]}
        if not isinstance(value, dict) or len(value) != 1 or None in value.values():
            self.problem("needs a segment of one entry, as in segment: {plan: digital}.")
            return {}
        kind, segment = next(iter(value.items()))
        if kind not in metric.segment_types:
            known = ", ".join(metric.segment_types) or "nothing"
            self.problem(
                f"looks at a {kind} of '{metric.name}', which is split by {known}. Choose one of "
                "those, or leave segment out for the whole."
            )
        return {"segment_type": str(kind), "segment": str(segment)}

    def _judge(self, goal: Goal) -> None:
        """What a whole goal must be true to."""
        metric = self.metrics.get(goal.metric or "")
        if metric is None:
            return
        way = goal.target - goal.baseline
        if way == 0 or (way > 0) != (metric.direction == "up"):
            better = "above" if metric.direction == "up" else "below"
            self.problem(
                f"has target {goal.target:g} and baseline {goal.baseline:g}, but {better} is the "
                f"good side of '{metric.name}'. Name a target {better} the baseline."
            )
        for key, value in (("baseline", goal.baseline), ("target", goal.target)):
            low, high = metric.lowest, metric.highest
            if (low is not None and value < low) or (high is not None and value > high):
                ends = "any" if low is None else f"{low:g}", "any" if high is None else f"{high:g}"
                self.problem(
                    f"has {key} {value:g}, but '{metric.name}' ({metric.unit}) lies between "
                    f"{ends[0]} and {ends[1]}. Name a {key} in that range."
                )
        if goal.pace == "seasonal" and metric.kind != "flow":
            self.problem(
                f"has a seasonal pace, which only what adds up over days can have: "
                f"'{metric.name}' is a {metric.kind}. Let its pace be linear."
            )
        days = (goal.end - goal.start).days + 1
        if goal.pace == "seasonal" and days > LONGEST_SEASON_DAYS:
            self.problem(
                f"has a seasonal pace over {days} days ({goal.start} to {goal.end}), but its "
                "season is that of the year before it starts. Let it end within a year, or its "
                "pace be linear."
            )
        if goal.rollup == "sum" and metric.kind == "ratio":
            self.problem(
                f"sums its children, but '{metric.name}' is a ratio, which re-divides sums. "
                "Say rollup: ratio."
            )
        if goal.rollup == "ratio" and metric.kind != "ratio":
            self.problem(
                f"re-divides its children's sums, but '{metric.name}' is a {metric.kind}. "
                "Say rollup: sum."
            )


def _tree_problems(goals: Sequence[Goal], metrics: Mapping[str, Metric]) -> Iterator[str]:
    twice = list(entries.repeated("goal", [goal.id for goal in goals]))
    if twice:
        yield from twice
        return
    by_id = {goal.id: goal for goal in goals}
    for goal in goals:
        if goal.parent is not None and goal.parent not in by_id:
            told = texts.nearest(goal.parent, by_id)
            yield f"goal '{goal.id}' has an unknown parent '{goal.parent}'. {told}"
            return
    for goal in goals:
        circle = _circle(goal, by_id)
        if circle:
            yield (
                f"goal '{goal.id}' is its own ancestor ({' → '.join(circle)}). Give one of them "
                "another parent."
            )
            return
    for goal in goals:
        children = [each for each in goals if each.parent == goal.id]
        yield from _period_problems(goal, children)
        yield from _weight_problems(goal, children)
        yield from _rollup_problems(goal, children)
        yield from _overlap_problems(goal, goals)


def _circle(goal: Goal, by_id: Mapping[str, Goal]) -> list[str]:
    """The way from a goal up to itself; empty where there is none."""
    way = [goal.id]
    parent = goal.parent
    while parent is not None and parent not in way:
        way.append(parent)
        parent = by_id[parent].parent
    return [*way, goal.id] if parent == goal.id else []


def _period_problems(goal: Goal, children: Sequence[Goal]) -> Iterator[str]:
    for child in children:
        if child.start < goal.start or child.end > goal.end:
            yield (
                f"goal '{child.id}' runs from {child.start} to {child.end}, outside the period of "
                f"its parent '{goal.id}' ({goal.start} to {goal.end}). Move its days inside."
            )


def _weight_problems(goal: Goal, children: Sequence[Goal]) -> Iterator[str]:
    weights = [child.weight for child in children if child.weight is not None]
    if goal.rollup != "weighted" and not weights:
        return
    without = [child.id for child in children if child.weight is None]
    if without:
        yield (
            f"goal '{without[0]}' has no weight, but other children of '{goal.id}' have, or it "
            "rolls them up by weight. Give each child of it one, or none where the parent has a "
            "metric."
        )
    elif children and abs(sum(weights) - 1) > WEIGHTS_MAY_MISS:
        yield (
            f"goal '{goal.id}': the weights of its children sum to {sum(weights):g} "
            f"({', '.join(f'{c.id} {c.weight:g}' for c in children)}). Make them sum to 1."
        )


def _rollup_problems(goal: Goal, children: Sequence[Goal]) -> Iterator[str]:
    if goal.rollup == "own":
        return
    if not children:
        yield (
            f"goal '{goal.id}' rolls up its children ({goal.rollup}), but has none. State goals "
            f"with parent: {goal.id}, or say rollup: own."
        )
    for child in children:
        if goal.rollup != "weighted" and child.metric != goal.metric:
            yield (
                f"goal '{child.id}' is measured in '{child.metric}', but its parent '{goal.id}' "
                f"recomputes '{goal.metric}' from its children. Measure both alike, or say "
                "rollup: weighted."
            )


def _overlap_problems(goal: Goal, goals: Sequence[Goal]) -> Iterator[str]:
    """What a sum or ratio would count twice."""
    if goal.rollup not in ("sum", "ratio"):
        return
    ids = {part for part, _ in _parts(goal, goals)}
    measured = [each for each in goals if each.id in ids and each.metric == goal.metric]
    seen: dict[tuple[str, str], Goal] = {}
    for part in measured:
        same = seen.setdefault((part.segment_type, part.segment), part)
        other = measured[0] if same is part else same
        if same is not part or part.segment_type != other.segment_type:
            yield (
                f"goal '{goal.id}' adds up '{other.id}' ({_shown(other)}) and '{part.id}' "
                f"({_shown(part)}), which would count the same twice. Split it by one thing, each "
                "segment once, or say rollup: own."
            )


def _shown(goal: Goal) -> str:
    return "the whole" if goal.segment_type == WHOLE[0] else f"{goal.segment_type} {goal.segment}"


def parts(goals: Sequence[Goal]) -> list[tuple[str, str, float]]:
    """What each goal is measured by: goal, the goal whose metric and segment it is, weight.

    Itself; of sums and ratios the goals below that are measured themselves; of weighted ones the
    measured goals below (their roll-ups included), with the product of the weights.
    """
    return [(goal.id, part, weight) for goal in goals for part, weight in _parts(goal, goals)]


def _parts(goal: Goal, goals: Sequence[Goal]) -> Iterator[tuple[str, float]]:
    children = [each for each in goals if each.parent == goal.id]
    if goal.rollup == "own":
        yield goal.id, 1.0
    elif goal.rollup == "weighted":
        for child in children:
            below = _parts(child, goals) if child.rollup == "weighted" else [(child.id, 1.0)]
            for part, weight in below:
                yield part, weight * (child.weight or 0.0)
    else:
        for child in children:
            yield from _parts(child, goals)
