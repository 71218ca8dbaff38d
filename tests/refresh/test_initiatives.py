"""What initiatives did, worked out by hand from what was landed."""

from pathlib import Path

import pytest

from tests.refresh.small import Row, Small, page_view

ACCOUNTS = [f"a{number}" for number in range(120)]
GOALS = """
goals:
  - {id: reading, title: They read, unit: news, owner: editor, metric: page_views, baseline: 1,
     target: 2, start: 2024-03-01, end: 2024-12-31}
"""
# Two days a period: two whole ones before 5 March, one after it by the 6th.
INITIATIVES = """
initiatives:
  - {id: call, title: A call, goal: reading, owner: editor, start: 2024-03-05, cost: 30,
     treated: list, control: others, outcome: active_days, period_days: 2}
  - {id: finns, title: For Finns, goal: reading, owner: editor, start: 2024-03-05, cost: 0,
     treated: {sql: select customer_id from customers where country = 'FI'; -- those},
     control: {sql: select customer_id from customers where country = 'SE'},
     outcome: active, period_days: 2}
  - {id: broken, title: Broken, goal: reading, owner: editor, start: 2024-03-05, cost: 1,
     treated: {sql: select customer_id from customers where colour = 1}, control: others,
     outcome: active}
  - {id: telling, title: Telling, goal: reading, owner: editor, start: 2024-03-05, cost: 1,
     treated: {sql: select cast(country as int) as customer_id from customers}, control: others,
     outcome: active}
  - {id: everybody, title: For all, goal: reading, owner: editor, start: 2024-03-05, cost: 1,
     treated: {sql: select customer_id from customers}, control: others, outcome: active,
     period_days: 2}
  - {id: nobody, title: For nobody, goal: reading, owner: editor, start: 2024-03-05, cost: 1,
     treated: {sql: select customer_id from customers where country = 'XX'}, control: others,
     outcome: active}
  - {id: later, title: Later, goal: reading, owner: editor, start: 2024-04-01, cost: 1,
     treated: list, control: others, outcome: active}
"""


def _visits(account: str, number: int) -> list[Row]:
    """One day of each period; who is called (every second) comes on both days after it."""
    days = [1, 3, 5, *([6] if number % 2 == 0 else [])]
    return [
        page_view(f"{account} {day}", f"v{number}", f"2024-03-0{day}T10:00:00Z", account_id=account)
        for day in days
    ]


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Small:
    """A publisher with initiatives as of 6 March, refreshed again as of 7 March."""
    feeds = ["events", "accounts", "initiative_members"]
    small = Small(tmp_path_factory.mktemp("initiatives") / "small", feeds, time_zone="UTC")
    small.want(GOALS, INITIATIVES)
    small.add(
        "accounts",
        *(
            {
                "account_id": account,
                "registered_at": "2024-02-01T00:00:00Z",
                "country": "FI" if number < 60 else "SE",
            }
            for number, account in enumerate(ACCOUNTS)
        ),
    )
    small.add(
        "initiative_members",
        *({"initiative": "call", "account_id": account} for account in ACCOUNTS[::2]),
    )
    visits = [row for number, account in enumerate(ACCOUNTS) for row in _visits(account, number)]
    small.add("events", *visits)
    assert small.refresh().verdict == "published"
    small.add("events", page_view("next", "v1", "2024-03-07T10:00:00Z", account_id="a1"))
    run = small.refresh(tests=False)
    assert run.verdict == "published", run.reason
    return small


def test_the_change_of_the_treated_less_that_of_the_control(lived: Small) -> None:
    # 60 called come on 2 days instead of 1, 60 others on 1 as before: one day more a period.
    assert lived.rows(
        "select effect, standard_error, lower_bound, upper_bound, treated_customers, "
        "control_customers, treated_periods, periods_before, periods_after, effect_total, "
        "effect_per_euro, cost_per_unit, verdict, direction, reason from initiative_effects "
        "where initiative_id = 'call' and as_of_day = date '2024-03-06'"
    ) == [(1, 0, 1, 1, 60, 60, 60, 2, 1, 60, 2, 0.5, "shown", "helps", None)]


def test_groups_named_by_a_query_over_the_marts(lived: Small) -> None:
    # Finns and Swedes are called alike, and come in every period: nothing is there to show.
    assert lived.rows(
        "select effect, treated_customers, control_customers, effect_per_euro, verdict, reason "
        "from initiative_effects where initiative_id = 'finns' and is_latest"
    ) == [(0, 60, 60, None, "not shown", "the interval holds 0: chance alone would do it")]


def test_a_query_that_cannot_be_run_says_so_in_its_row_and_stops_nothing(lived: Small) -> None:
    told = dict(lived.rows("select initiative_id, reason from initiative_effects where is_latest"))
    assert told["broken"].startswith("the query for its treated customers cannot be run: Binder")
    assert "colour" in told["broken"]
    # What DuckDB says of it names the country of some reader.
    assert told["telling"] == (
        "the query for its treated customers cannot be run (Conversion); `arvo sql` with the same "
        "query says why"
    )
    assert told["nobody"] == "the query for its treated customers finds nobody"
    assert told["later"] == "the list has nobody whose arm is treated"


def test_with_everybody_treated_nobody_is_left_to_compare_with(lived: Small) -> None:
    assert lived.rows(
        "select treated_customers, control_customers, reason from initiative_effects "
        "where initiative_id = 'everybody' and is_latest"
    ) == [(120, 0, "120 treated and 0 control customers have outcomes; it takes 50 of each")]


def test_what_was_found_on_earlier_days_stays(lived: Small) -> None:
    assert lived.rows(
        "select as_of_day::varchar, is_latest, effect from initiative_effects "
        "where initiative_id = 'call' order by as_of_day"
    ) == [("2024-03-06", False, 1), ("2024-03-07", True, 1)]


def test_the_scorecard_says_what_was_done(lived: Small) -> None:
    ((done, shown, told),) = lived.rows(
        "select initiative_count, shown_initiative_count, what_was_done from unit_scorecard"
    )
    assert (done, shown) == (6, 1)
    assert "A call: helps, 1.0 active_days a customer and period (1.0 to 1.0)" in told


def test_the_list_lands_as_pseudonyms(lived: Small) -> None:
    assert lived.rows(
        "select treated_count, control_count, state from initiatives "
        "where initiative_id in ('call', 'later') order by start_day"
    ) == [(60, None, "running"), (0, None, "planned")]
    for path in Path(lived.home.landing / "initiative_members").rglob("*.parquet"):
        assert b"a118" not in path.read_bytes()
