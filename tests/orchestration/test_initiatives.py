"""What is wrong with an initiatives.yml is told initiative by initiative."""

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestration import initiatives

CALL: dict[str, Any] = {
    "id": "call",
    "title": "A call",
    "goal": "churn",
    "owner": "service",
    "start": dt.date(2026, 4, 8),
    "cost": 100,
    "treated": "list",
    "control": "others",
    "outcome": "retained",
}


def read(
    folder: Path, *entries: dict[str, Any]
) -> tuple[tuple[initiatives.Initiative, ...], tuple[str, ...]]:
    """What is read of these initiatives, where there is a goal churn."""
    path = folder / "initiatives.yml"
    text = yaml.safe_dump({"initiatives": list(entries)})
    path.write_text(
        text.replace("'2026-04-08'", "2026-04-08").replace("'2026-04-01'", "2026-04-01")
    )
    return initiatives.read(path, ["churn"])


def test_an_initiative_is_read_as_it_is_stated(tmp_path: Path) -> None:
    query = "select customer_id from customers"
    (made,), problems = read(
        tmp_path, {**CALL, "control": {"sql": f"{query}; -- those"}, "period_days": 7}
    )
    assert problems == ()
    assert (made.treated_rule, made.treated_sql) == ("list", None)
    assert (made.control_rule, made.control_sql) == ("sql", query)
    assert (made.cost, made.end, made.period_days) == (100.0, None, 7)


def test_without_the_file_there_are_none(tmp_path: Path) -> None:
    assert initiatives.read(tmp_path / "initiatives.yml", ()) == ((), ())


@pytest.mark.parametrize(
    ("stated", "told"),
    [
        ({"goal": "chum"}, "is to move an unknown goal 'chum'. Did you mean 'churn'?"),
        ({"owner": None}, "has no owner. Add the role that answers for it."),
        ({"cost": None}, "needs its cost in the reporting currency, 0 or more and below 100,000,"),
        ({"cost": None}, "which is missing: an effect is worth what it cost."),
        ({"cost": -1}, "which is -1: an effect is worth what it cost."),
        ({"cost": float("nan")}, "has nan as cost: nothing can be reckoned with that. Write a fi"),
        ({"cost": float("inf")}, "has inf as cost: nothing can be reckoned with that. Write a fi"),
        ({"cost": 1e14}, "which is 100000000000000.0: an effect"),
        ({"cost": [1]}, "which is [1]: an effect"),
        ({"end": dt.date(2026, 4, 1)}, "ends on 2026-04-01, before it starts (2026-04-08)."),
        ({"start": "spring"}, "needs a day as start, such as 2026-01-01, not 'spring'."),
        ({"outcome": "happiness"}, "has no outcome that is known ('happiness'). Known are: ret"),
        ({"outcome": "retain"}, "('retain'). Did you mean 'retained'?"),
        ({"outcome": ["active"]}, "known (['active']). Known are: retained, active, active_days,"),
        ({"outcome": {"a": "b"}}, "has no outcome that is known ({'a': 'b'}). Known are: retained"),
        ({"outcome": None}, "has no outcome that is known (None). Known are: retained, active"),
        ({"treated": ["list"]}, "does not say who is treated. Say treated: list, or treated:"),
        ({"treated": {"sql": None}}, "does not say who is treated. Say treated: list, or treated:"),
        ({"control": {"sql": ["x"]}}, "does not say who is control. Say control: others or list"),
        ({"goal": ["churn"]}, "has no goal. Add the id of the goal it is to move."),
        ({"period_days": [28]}, "has period_days [28]; it is a whole number from 1 to 366."),
        ({"treated": "others"}, "does not say who is treated. Say treated: list, or treated:"),
        ({"control": {"query": "x"}}, "does not say who is control. Say control: others or list"),
        (
            {"treated": {"sql": "select customer_id frm customers"}},
            "names its treated customers by a query that cannot be run (syntax error",
        ),
        (
            {"treated": {"sql": "drop table customers"}},
            "names its treated customers by a query that cannot be run (Only SELECT statements",
        ),
        (
            {"treated": {"sql": "select customer_id from retention"}},
            "names its treated customers by a query that reads retention, which it may not. It may "
            "read these marts and nothing else: churn_risk, customer_value, "
            "customer_value_monthly, customers, engagement, mrr_movements, social_value. Select",
        ),
        (
            {"control": {"sql": "from customers where random() < 0.5"}},
            "names its control customers by a query that calls random, which depends on more than",
        ),
        ({"treated": {"sql": "select 1; select 2"}}, "(it holds 2 statements). Write one select"),
        ({"period_days": 0}, "has period_days 0; it is a whole number from 1 to 366."),
        ({"colour": "red"}, "has an unknown key 'colour'. Known are: id, title, goal"),
    ],
)
def test_a_mistake_is_told_with_its_initiative_and_what_to_do(
    tmp_path: Path, stated: dict[str, Any], told: str
) -> None:
    found, problems = read(tmp_path, {**CALL, **stated})
    assert found == ()
    (problem,) = problems
    assert problem.startswith(f"{tmp_path / 'initiatives.yml'}: initiative 'call' ")
    assert told in problem


def test_an_id_names_one_initiative(tmp_path: Path) -> None:
    _, problems = read(tmp_path, CALL, CALL)
    assert problems == (
        f"{tmp_path / 'initiatives.yml'}: initiative 'call' is stated 2 times. Give each its own "
        "id.",
    )
