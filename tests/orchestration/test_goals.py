"""What is wrong with a goals.yml is told goal by goal, with what to do about it."""

import datetime as dt
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestration import goals
from orchestration.goals import Goal
from orchestration.metrics import Metric, metrics

GOAL: dict[str, Any] = {
    "id": "views",
    "title": "More views",
    "unit": "newsroom",
    "owner": "editor",
    "metric": "page_views",
    "baseline": 100,
    "target": 200,
    "start": dt.date(2026, 1, 1),
    "end": dt.date(2026, 12, 31),
}
SHARE = {**GOAL, "id": "share", "metric": "csat", "baseline": 0.5, "target": 0.6}
SOLD = {"metric": "ad_revenue"}
ADS = {**GOAL, **SOLD}
WEIGHED = {
    key: GOAL[key] for key in ("id", "title", "unit", "owner", "start", "end")
} | {"rollup": "weighted"}  # fmt: skip


def read(
    folder: Path, *entries: dict[str, Any], known: dict[str, Metric] | None = None
) -> tuple[tuple[Goal, ...], tuple[str, ...]]:
    """What is read of these goals."""
    path = folder / "goals.yml"
    path.write_text(yaml.safe_dump({"goals": list(entries)}))
    return goals.read(path, known or metrics())


def child(name: str, **stated: Any) -> dict[str, Any]:
    return {**GOAL, "id": name, "parent": "views", **stated}


def test_a_goal_is_read_as_it_is_stated(tmp_path: Path) -> None:
    stated = {**GOAL, "segment": {"device": "mobile"}, "pace": "seasonal"}
    (goal,), problems = read(tmp_path, stated)
    assert problems == ()
    assert (goal.segment_type, goal.segment) == ("device", "mobile")
    assert (goal.pace, goal.rollup, goal.weight) == ("seasonal", "own", None)
    assert (goal.start.isoformat(), goal.end.isoformat()) == ("2026-01-01", "2026-12-31")


def test_a_day_in_quotation_marks_is_a_day(tmp_path: Path) -> None:
    (goal,), problems = read(tmp_path, {**GOAL, "start": "2026-01-01"})
    assert problems == ()
    assert goal.start == dt.date(2026, 1, 1)


def test_a_season_may_be_a_calendar_year_and_that_a_leap_year(tmp_path: Path) -> None:
    days = {"start": dt.date(2028, 1, 1), "end": dt.date(2028, 12, 31)}
    _, problems = read(tmp_path, {**GOAL, **days, "pace": "seasonal"})
    assert problems == ()


def test_without_the_file_there_are_no_goals(tmp_path: Path) -> None:
    assert goals.read(tmp_path / "goals.yml", metrics()) == ((), ())


@pytest.mark.parametrize(
    ("entries", "told"),
    [
        (
            [{**GOAL, "metric": "page_view"}],
            "goal 'views' has an unknown metric 'page_view'. Did you mean 'page_views'?",
        ),
        (
            [{**GOAL, "owner": ""}],
            "goal 'views' has no owner. Add the role that answers for it: a goal without an owner "
            "is nobody's.",
        ),
        ([{**GOAL, "unit": None}], "goal 'views' has no unit. Add the unit it is split to."),
        (
            [{**GOAL, "target": 90}],
            "goal 'views' has target 90 and baseline 100, but above is the good side of "
            "'page_views'. Name a target above the baseline.",
        ),
        (
            [{**GOAL, "metric": "cac", "baseline": 50, "target": 60}],
            "goal 'views' has target 60 and baseline 50, but below is the good side of 'cac'. "
            "Name a target below the baseline.",
        ),
        (
            [{**SHARE, "target": 60}],
            "goal 'share' has target 60, but 'csat' (share) lies between 0 and 1. Name a target in "
            "that range.",
        ),
        (
            [{**GOAL, "baseline": -1}],
            "goal 'views' has baseline -1, but 'page_views' (page views) lies between 0 and any.",
        ),
        ([{**GOAL, "target": 100}], "goal 'views' has target 100 and baseline 100, but above"),
        (
            [{**GOAL, "end": dt.date(2026, 1, 1)}],
            "goal 'views' ends on 2026-01-01, not after it starts (2026-01-01).",
        ),
        (
            [{**GOAL, "pace": "seasonal", "end": dt.date(2027, 1, 2)}],
            "goal 'views' has a seasonal pace over 367 days (2026-01-01 to 2027-01-02), but its "
            "season is that of the year before it starts. Let it end within a year, or its pace be "
            "linear.",
        ),
        ([{**GOAL, "start": "soon"}], "goal 'views' needs a day as start, such as 2026-01-01"),
        (
            [{**GOAL, "baseline": None}],
            "goal 'views' needs a number as baseline, which is missing.",
        ),
        ([{**GOAL, "target": "many"}], "goal 'views' needs a number as target, which is 'many'."),
        (
            [{**GOAL, "target": float("nan")}],
            "goal 'views' has nan as target: nothing can be reckoned with that. Write a finite "
            "number.",
        ),
        ([{**GOAL, "target": float("inf")}], "goal 'views' has inf as target: nothing can be"),
        ([{**GOAL, "baseline": -float("inf")}], "goal 'views' has -inf as baseline: nothing can"),
        ([{**GOAL, "start": "2026-02-30"}], "goal 'views' needs a day as start, such as 2026-01"),
        ([{**GOAL, "id": "Page Views"}], "needs an id in lower case (a-z, 0-9 and _)"),
        (
            [{**GOAL, "colour": "red"}],
            "goal 'views' has an unknown key 'colour'. Known are: id, title, parent,",
        ),
        ([{**GOAL, "pace": "brisk"}], "goal 'views' has pace 'brisk'. It is one of linear, seas"),
        (
            [{**GOAL, "segment": {"plan": "digital"}}],
            "goal 'views' looks at a plan of 'page_views', which is split by device, section.",
        ),
        ([{**GOAL, "segment": {"device": None}}], "needs a segment of one entry, as in segment:"),
        ([{**GOAL, "segment": "mobile"}], "needs a segment of one entry, as in segment:"),
        (
            [{**SHARE, "pace": "seasonal"}],
            "goal 'share' has a seasonal pace, which only what adds up over days can have: 'csat' "
            "is a ratio.",
        ),
        (
            [{**SHARE, "rollup": "sum"}],
            "goal 'share' sums its children, but 'csat' is a ratio, which re-divides sums.",
        ),
        (
            [{**GOAL, "rollup": "ratio"}],
            "goal 'views' re-divides its children's sums, but 'page_views' is a flow.",
        ),
        (
            [{**GOAL, "rollup": "sum"}],
            "goal 'views' rolls up its children (sum), but has none.",
        ),
        (
            [{**GOAL, "rollup": "sum"}, child("other", metric="visits")],
            "goal 'other' is measured in 'visits', but its parent 'views' recomputes 'page_views'",
        ),
        (
            [
                {**ADS, "rollup": "sum"},
                child("phones", **SOLD, segment={"device": "mobile"}),
                child("articles", **SOLD, segment={"placement": "article"}),
            ],
            "goal 'views' adds up 'phones' (device mobile) and 'articles' (placement article), "
            "which would count the same twice. Split it by one thing, each segment once, or say "
            "rollup: own.",
        ),
        (
            [
                {**GOAL, "rollup": "sum"},
                child("phones", segment={"device": "mobile"}),
                child("everything"),
            ],
            "goal 'views' adds up 'phones' (device mobile) and 'everything' (the whole), which",
        ),
        (
            [
                {**GOAL, "rollup": "sum"},
                child("small", rollup="sum"),
                child("small_phones", parent="small", segment={"device": "mobile"}),
                child("phones", segment={"device": "mobile"}),
            ],
            "goal 'views' adds up 'small_phones' (device mobile) and 'phones' (device mobile), wh",
        ),
        (
            [{**WEIGHED, "target": 3}, child("part", weight=1)],
            "goal 'views' rolls up its children's attainments by weight, so it has no target",
        ),
        ([GOAL, GOAL], "goal 'views' is stated 2 times. Give each its own id."),
        (
            [GOAL, {**GOAL, "id": "part", "parent": "view"}],
            "goal 'part' has an unknown parent 'view'. Did you mean 'views'?",
        ),
        (
            [{**GOAL, "parent": "part"}, child("part")],
            "goal 'views' is its own ancestor (views → part → views).",
        ),
        ([{**GOAL, "parent": "views"}], "goal 'views' is its own ancestor (views → views)."),
        (
            [GOAL, child("part", start=dt.date(2025, 12, 31))],
            "goal 'part' runs from 2025-12-31 to 2026-12-31, outside the period of its parent "
            "'views' (2026-01-01 to 2026-12-31). Move its days inside.",
        ),
        (
            [WEIGHED, child("one", weight=0.5), child("two", weight=0.4)],
            "goal 'views': the weights of its children sum to 0.9 (one 0.5, two 0.4). Make them "
            "sum to 1.",
        ),
        (
            [GOAL, child("one", weight=0.5), child("two", weight=0.4)],
            "goal 'views': the weights of its children sum to 0.9",
        ),
        (
            [WEIGHED, child("one", weight=1), child("two")],
            "goal 'two' has no weight, but other children of 'views' have",
        ),
        ([{**GOAL, "weight": 1.5}], "goal 'views' has weight 1.5. A weight lies above 0 and is at"),
    ],
)
def test_a_mistake_is_told_with_its_goal_and_what_to_do(
    tmp_path: Path, entries: list[dict[str, Any]], told: str
) -> None:
    _, problems = read(tmp_path, *entries)
    assert any(told in problem for problem in problems), problems
    assert all(problem.startswith(str(tmp_path / "goals.yml")) for problem in problems)


def test_a_deprecated_metric_says_what_to_use_instead(tmp_path: Path) -> None:
    known = dict(metrics())
    known["page_views"] = replace(known["page_views"], deprecated="use visits since 2026.")
    _, problems = read(tmp_path, GOAL, known=known)
    assert problems == (
        f"{tmp_path / 'goals.yml'}: goal 'views' is measured in 'page_views', which is deprecated: "
        "use visits since 2026.",
    )


def test_targets_that_do_not_add_up_are_no_mistake(tmp_path: Path) -> None:
    parent = {**GOAL, "rollup": "sum"}
    _, problems = read(tmp_path, parent, child("mobile", segment={"device": "mobile"}, target=110))
    assert problems == ()


@pytest.mark.parametrize("text", ["goals: none", "- a", "goals: [1]", "goals: [", ""])
def test_what_is_no_list_of_goals_is_told(tmp_path: Path, text: str) -> None:
    path = tmp_path / "goals.yml"
    path.write_text(text)
    found, (problem,) = goals.read(path, metrics())
    assert found == ()
    assert problem.startswith(f"{path}: ")


def test_a_goal_is_measured_by_itself_its_parts_or_what_it_weighs(tmp_path: Path) -> None:
    # all weighs views (which sums two devices) and a group, which weighs two more.
    top = {**WEIGHED, "id": "all"}
    group = {**WEIGHED, "id": "group", "parent": "all", "weight": 0.4}
    views = {**GOAL, "parent": "all", "weight": 0.6, "rollup": "sum"}
    mobile, desktop = (
        child(name, segment={"device": name}) for name in ("mobile", "desktop")
    )  # fmt: skip
    share = {**SHARE, "parent": "group", "weight": 0.25}
    calls = {**SHARE, "id": "calls", "parent": "group", "weight": 0.75}
    found, problems = read(tmp_path, top, group, views, mobile, desktop, share, calls)
    assert problems == ()
    told: dict[str, dict[str, float]] = {}
    for goal, part, weight in goals.parts(found):
        told.setdefault(goal, {})[part] = weight
    assert told["views"] == {"mobile": 1, "desktop": 1}
    assert told["mobile"] == {"mobile": 1}
    assert told["all"] == pytest.approx({"views": 0.6, "share": 0.1, "calls": 0.3})
