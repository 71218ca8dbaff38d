"""What a publisher does to reach its goals: initiatives.yml beside publisher.yml.

Holds how an initiative is stated and what must be true of it before anything runs. What it did is
the dbt project's to tell.
"""

import datetime as dt
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from orchestration import entries, initiative_queries, texts

FILE = "initiatives.yml"
KEYS = (
    "id",
    "title",
    "goal",
    "owner",
    "start",
    "end",
    "cost",
    "treated",
    "control",
    "outcome",
    "period_days",
)
# What is looked at of a customer in a period; more of each is good.
OUTCOMES = {
    "retained": "pays at the end of the period, of those who pay at its start",
    "active": "has an active day in the period",
    "active_days": "active days in the period",
    "page_views": "page views in the period",
    "revenue": "net payments in the period",
    "purchases": "single purchases paid in the period",
}
LIST, OTHERS, SQL = "list", "others", "sql"
DEFAULT_PERIOD_DAYS = 28
LONGEST_PERIOD_DAYS = 366
# What a decimal(18, 4) holds.
COST_BELOW = 10**14


@dataclass(frozen=True)
class Initiative:
    """One initiative as initiatives.yml states it.

    Attributes:
        id: Names it in every mart, and in the feed initiative_members.
        title: What is done, in words.
        goal: The goal it is to move.
        owner: Role that answers for it.
        start: First day.
        end: Last day; None while it goes on.
        cost: What it costs in the reporting currency.
        treated_rule: list (its rows of the feed initiative_members) or sql.
        treated_sql: The query, with a column customer_id, or None.
        control_rule: others (everybody else who has the outcome), list or sql.
        control_sql: The query, or None.
        outcome: What is looked at, one of `OUTCOMES`.
        period_days: Length of a period in days.
    """

    id: str
    title: str
    goal: str
    owner: str
    start: dt.date
    end: dt.date | None
    cost: float
    treated_rule: str
    treated_sql: str | None
    control_rule: str
    control_sql: str | None
    outcome: str
    period_days: int


def read(path: Path, goal_ids: Collection[str]) -> tuple[tuple[Initiative, ...], tuple[str, ...]]:
    """The initiatives stated in that file, if it is there, and every problem found in it.

    Args:
        path: initiatives.yml: `initiatives`, a list of mappings with the keys `KEYS`.
        goal_ids: The goals there are.
    """
    listed, wrong = entries.read(path, "initiatives")
    if wrong:
        return (), (f"{path}: {wrong}",)
    if not listed:
        return (), ()
    found: list[Initiative] = []
    problems: list[str] = []
    with duckdb.connect() as parser:
        for place, stated in enumerate(listed, start=1):
            reader = _Entry(stated, place, goal_ids, parser)
            made = reader.initiative()
            problems += reader.problems
            if made is not None:
                found.append(made)
    problems += entries.repeated("initiative", [each.id for each in found])
    return tuple(found), tuple(f"{path}: {told}" for told in problems)


class _Entry(entries.Entry):
    """One entry of the list, being read."""

    def __init__(
        self,
        stated: Mapping[str, Any],
        place: int,
        goal_ids: Collection[str],
        parser: duckdb.DuckDBPyConnection,
    ) -> None:
        super().__init__("initiative", stated, place, KEYS)
        self.goal_ids, self.parser = goal_ids, parser

    def initiative(self) -> Initiative | None:
        treated_rule, treated_sql = self._group("treated", (LIST,))
        control_rule, control_sql = self._group("control", (OTHERS, LIST))
        start, end = self.day("start"), self._optional_day("end")
        if start and end and end < start:
            self.problem(f"ends on {end}, before it starts ({start}). Name a later end.")
        values: dict[str, Any] = {
            "id": self.id(),
            "title": self.text("title", "what is done, in words"),
            "goal": self._goal(),
            "owner": self.text("owner", "the role that answers for it"),
            "start": start,
            "end": end,
            "cost": self._cost(),
            "treated_rule": treated_rule,
            "treated_sql": treated_sql,
            "control_rule": control_rule,
            "control_sql": control_sql,
            "outcome": self._outcome(),
            "period_days": self._period_days(),
        }
        return None if self.problems else Initiative(**values)

    def _goal(self) -> str:
        name = self.text("goal", "the id of the goal it is to move")
        if name and name not in self.goal_ids:
            told = texts.nearest(name, self.goal_ids) if self.goal_ids else "goals.yml has none."
            self.problem(f"is to move an unknown goal '{name}'. {told}")
        return name

    def _optional_day(self, key: str) -> dt.date | None:
        return None if self.stated.get(key) is None else self.day(key)

    def _cost(self) -> float:
        value = self.stated.get("cost")
        # What is not finite was told when the entry was opened.
        if isinstance(value, float) and not math.isfinite(value):
            return 0.0
        if (
            isinstance(value, int | float)
            and not isinstance(value, bool)
            and 0 <= value < COST_BELOW
        ):
            return float(value)
        told = "is missing" if value is None else f"is {value!r}"
        self.problem(
            "needs its cost in the reporting currency, 0 or more and below "
            f"{COST_BELOW:,}, which {told}: an effect is worth what it cost."
        )
        return 0.0

    def _outcome(self) -> str:
        value = self.stated.get("outcome")
        if isinstance(value, str) and value in OUTCOMES:
            return value
        told = texts.nearest(value if isinstance(value, str) else "", OUTCOMES)
        self.problem(f"has no outcome that is known ({value!r}). {told}")
        return ""

    def _period_days(self) -> int:
        value = self.stated.get("period_days", DEFAULT_PERIOD_DAYS)
        is_whole = isinstance(value, int) and not isinstance(value, bool)
        if is_whole and 1 <= value <= LONGEST_PERIOD_DAYS:
            return int(value)
        self.problem(
            f"has period_days {value!r}; it is a whole number from 1 to {LONGEST_PERIOD_DAYS}."
        )
        return DEFAULT_PERIOD_DAYS

    def _group(self, key: str, rules: Sequence[str]) -> tuple[str, str | None]:
        """How a group is named: the rule, and the query where there is one."""
        value = self.stated.get(key)
        if isinstance(value, str) and value in rules:
            return value, None
        if isinstance(value, dict) and list(value) == [SQL] and isinstance(value[SQL], str):
            query = initiative_queries.read(value[SQL], self.parser)
            if query.problem:
                self.problem(f"names its {key} customers by a query that {query.problem}")
            return SQL, query.text
        self.problem(
            f"does not say who is {key}. Say {key}: {' or '.join(rules)}, or {key}: "
            "{sql: select customer_id from …}."
        )
        return "", None
