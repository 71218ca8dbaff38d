"""Where goals stand, worked out by hand from what was landed: definitions, section 8."""

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestration import settings
from tests.refresh.small import Row, Small, page_view, payment, subscription

NEW_YEAR = dt.date(2023, 1, 2)
AS_OF = dt.date(2024, 6, 30)
YEAR = dt.timedelta(days=364)
GOALS = """
goals:
  - {id: all, title: Everything, unit: board, owner: publisher, rollup: weighted,
     start: 2024-06-01, end: 2024-07-30}
  - {id: revenue, parent: all, weight: 0.75, title: Revenue, unit: sales, owner: seller,
     metric: mrr, baseline: 10, target: 30, start: 2024-06-01, end: 2024-07-30}
  - {id: revenue_digital, parent: revenue, title: Digital, unit: sales, owner: seller, metric: mrr,
     segment: {plan: digital}, baseline: 10, target: 20, start: 2024-06-01, end: 2024-07-30}
  - {id: views, parent: all, weight: 0.25, title: Views, unit: news, owner: editor, rollup: sum,
     metric: page_views, baseline: 10, target: 20, start: 2024-06-29, end: 2024-07-02}
  - {id: views_mobile, parent: views, title: On phones, unit: news, owner: editor,
     metric: page_views, segment: {device: mobile}, baseline: 7, target: 12,
     start: 2024-06-29, end: 2024-07-02}
  - {id: views_desktop, parent: views, title: On desks, unit: news, owner: editor,
     metric: page_views, segment: {device: desktop}, baseline: 3, target: 6,
     start: 2024-06-29, end: 2024-07-02}
  - {id: slow, title: Fewer slow pages, unit: product, owner: developer, rollup: ratio,
     metric: slow_visit_share, baseline: 0.3, target: 0.1, start: 2024-06-29, end: 2024-07-02}
  - {id: slow_mobile, parent: slow, title: On phones, unit: product, owner: developer,
     metric: slow_visit_share, segment: {device: mobile}, baseline: 0.9, target: 0.5,
     start: 2024-06-29, end: 2024-07-02}
  - {id: slow_desktop, parent: slow, title: On desks, unit: product, owner: developer,
     metric: slow_visit_share, segment: {device: desktop}, baseline: 0.2, target: 0.1,
     start: 2024-06-29, end: 2024-07-02}
  - {id: season, title: Half more than last year, unit: sales, owner: seller, metric: net_revenue,
     segment: {kind: purchase}, pace: seasonal, baseline: 0, target: %(target)s,
     start: 2024-01-01, end: 2024-12-29}
  - {id: no_season, title: The same on a straight line, unit: sales, owner: seller,
     metric: net_revenue, segment: {kind: purchase}, baseline: 0, target: %(target)s,
     start: 2024-01-01, end: 2024-12-29}
  - {id: too_young, title: Too young for a season, unit: sales, owner: seller, metric: net_revenue,
     segment: {kind: purchase}, pace: seasonal, baseline: 0, target: 100,
     start: 2023-06-01, end: 2023-06-30}
  - {id: year, title: A calendar year, unit: sales, owner: seller, metric: net_revenue,
     segment: {kind: purchase}, pace: seasonal, baseline: 0, target: %(target)s,
     start: 2024-01-01, end: 2024-12-31}
  - {id: ended, title: Ended amid a month, unit: sales, owner: seller, metric: mrr,
     baseline: 5, target: 30, start: 2024-05-01, end: 2024-06-15}
  - {id: slow_tablet, title: Hardly measured, unit: other, owner: developer,
     metric: slow_visit_share, segment: {device: tablet}, baseline: 0.3, target: 0.1,
     start: 2024-05-01, end: 2024-07-30}
  - {id: watches, title: On watches, unit: other, owner: developer, metric: page_views,
     segment: {device: watch}, baseline: 4, target: 8, start: 2024-06-29, end: 2024-07-02}
  - {id: gold, title: Gold, unit: other, owner: seller, metric: mrr, segment: {plan: gold},
     baseline: 4, target: 8, start: 2024-06-29, end: 2024-07-02}
  - {id: nothing_last_year, title: Given and taken, unit: gifts, owner: giver, metric: net_revenue,
     segment: {kind: donation}, pace: seasonal, baseline: 0, target: 10,
     start: 2024-04-01, end: 2024-04-14}
  - {id: overdrawn_last_year, title: More than all, unit: gifts, owner: giver, metric: net_revenue,
     segment: {kind: donation}, pace: seasonal, baseline: 0, target: 10,
     start: 2024-05-06, end: 2024-05-19}
  - {id: late, title: Late weighed, unit: gifts, owner: giver, rollup: weighted,
     start: 2024-06-21, end: 2024-07-20}
  - {id: late_gifts, parent: late, weight: 0.2, title: Late gifts, unit: gifts, owner: giver,
     metric: net_revenue, segment: {kind: donation}, pace: seasonal, baseline: 0, target: 10,
     start: 2024-06-21, end: 2024-07-20}
  - {id: late_views, parent: late, weight: 0.8, title: Late views, unit: gifts, owner: giver,
     metric: page_views, segment: {device: desktop}, baseline: 0, target: 300,
     start: 2024-06-21, end: 2024-07-20}
  - {id: early, title: Early fees, unit: gifts, owner: giver, metric: net_revenue,
     segment: {kind: subscription}, pace: seasonal, baseline: 0, target: 10,
     start: 2024-06-24, end: 2024-07-07}
  - {id: unasked, title: Nobody was asked, unit: sales, owner: seller, metric: nps,
     baseline: 0, target: 10, start: 2024-06-29, end: 2024-07-02}
  - {id: later, title: Not begun, unit: sales, owner: seller, metric: mrr,
     baseline: 20, target: 30, start: 2024-07-01, end: 2024-07-30}
"""


# What came in beside what is sold every day.
GIVEN = {
    "donation": {
        "2023-01-02": 1,
        # The year before nothing_last_year, which is from 3 to 16 April.
        "2023-04-04": 10,
        "2023-04-09": -10,
        # Before overdrawn_last_year, from 8 to 21 May: 20 of 15 on the second day.
        "2023-05-09": 20,
        "2023-05-10": -5,
        # Before late_gifts, from 23 June to 22 July: all of it on one of the last days.
        "2023-07-20": 7,
    },
    # Before early, from 26 June to 9 July: all of it on the second day.
    "subscription": {"2023-01-02": 1, "2023-06-27": 8, "2024-06-25": 6},
}


def _sold(day: dt.date) -> int:
    """What is sold on a day: more on Saturdays, most in December; of 2024 half more than before."""
    if day >= dt.date(2024, 1, 1):
        return _sold(day - YEAR) * 3 // 2
    return 10 + 10 * (day.weekday() == 5) + 30 * (day.month == 12)


def _days(first: dt.date, last: dt.date) -> list[dt.date]:
    return [first + dt.timedelta(days=n) for n in range((last - first).days + 1)]


def _measured(day: str, device: str, slow: int, count: int) -> Iterator[Row]:
    for number in range(count):
        name = f"{day} {device} {number}"
        row = {"measurement_id": name, "measured_at": f"{day}T12:00:00Z", "visitor_id": "v"}
        yield {**row, "device": device, "lcp_ms": 5000 if number < slow else 1000}


@pytest.fixture(scope="module")
def goals(tmp_path_factory: pytest.TempPathFactory) -> Small:
    """A publisher with goals, as of 30 June 2024."""
    small = Small(
        tmp_path_factory.mktemp("goals") / "small",
        ["events", "page_speed", "subscriptions", "payments"],
        time_zone="UTC",
    )
    last_year = sum(map(_sold, _days(NEW_YEAR, dt.date(2023, 12, 31))))
    small.want(GOALS % {"target": last_year * 3 // 2})
    for day in ("2024-06-29", "2024-06-30"):
        devices = ("mobile", "mobile", "desktop")
        views = [
            page_view(f"{day} {n}", "v", f"{day}T1{n}:00:00Z", device=device)
            for n, device in enumerate(devices)
        ]
        small.add("events", *views)
    small.add(
        "page_speed",
        *_measured("2024-05-01", "tablet", 1, 2),
        *_measured("2024-06-29", "mobile", 9, 10),
        *_measured("2024-06-29", "desktop", 10, 90),
        *_measured("2024-06-30", "mobile", 1, 10),
    )
    small.add(
        "subscriptions",
        subscription("s1", "liisa", "2024-05-01T00:00:00Z"),
        subscription("s2", "matti", "2024-06-10T00:00:00Z", plan="print"),
    )
    days = _days(NEW_YEAR, AS_OF)
    small.add(
        "payments",
        *(payment(f"{d}", "liisa", f"{d}T09:00:00Z", _sold(d), kind="purchase") for d in days),
        *(
            payment(f"{kind} {day}", "matti", f"{day}T09:00:00Z", amount, kind=kind)
            for kind, given in GIVEN.items()
            for day, amount in given.items()
        ),
    )
    run = small.refresh()
    assert run.verdict == "published", run.reason
    return small


def _stands(small: Small, goal: str, day: str = "2024-06-30") -> dict[str, Any]:
    names = (
        "actual", "so_far", "expected", "attainment", "forecast", "share_elapsed", "status",
        "pace_method", "probability", "reason", "forecast_low", "forecast_high",
    )  # fmt: skip
    rows = small.rows(
        f"select {', '.join(names)} from goal_progress "
        f"where goal_id = '{goal}' and day = date '{day}'"
    )
    return dict(zip(names, rows[0], strict=True)) if rows else {}


def test_a_flow_adds_up_from_its_baseline_to_its_sum(goals: Small) -> None:
    # Three views a day, two of four days: 6 so far, and half of the baseline still to come.
    now = _stands(goals, "views")
    assert now["so_far"] == 6
    assert now["actual"] == pytest.approx(6 + 10 * 0.5)
    assert now["expected"] == pytest.approx(10 + 10 * 0.5)
    assert now["attainment"] == pytest.approx(0.1)
    assert now["forecast"] == pytest.approx(6 / 0.5)
    assert now["status"] == "off"
    assert _stands(goals, "views", "2024-06-29")["actual"] == pytest.approx(3 + 10 * 0.75)


def test_a_stock_is_its_last_value(goals: Small) -> None:
    # May ended with 10 euros a month, and June, looked at on its last day, with 20.
    assert _stands(goals, "revenue", "2024-06-15")["actual"] == 10
    now = _stands(goals, "revenue")
    # Thirty of sixty days: halfway, and where the pace is.
    assert (now["actual"], now["expected"], now["attainment"]) == (20, 20, 0.5)
    assert (now["forecast"], now["status"]) == (30, "on track")


def test_a_rolled_up_ratio_divides_sums_and_a_falling_target_is_reached_downwards(
    goals: Small,
) -> None:
    first = _stands(goals, "slow", "2024-06-29")
    # 9 of 10 and 10 of 90: 19 of 100, where the mean of .9 and .11 would be .51.
    assert first["actual"] == pytest.approx(0.19)
    assert first["attainment"] == pytest.approx((0.3 - 0.19) / 0.2)
    assert first["expected"] == pytest.approx(0.25)
    assert first["status"] == "ahead"
    # A quarter of the time brought .11: by that pace it ends at -.14, and no share lies below 0.
    assert first["forecast"] == 0
    # Both days of its window: 20 of 110.
    now = _stands(goals, "slow")
    assert now["actual"] == pytest.approx(20 / 110)
    assert now["forecast"] == pytest.approx(0.3 - (0.3 - 20 / 110) / 0.5)
    assert _stands(goals, "slow_mobile")["actual"] == pytest.approx(10 / 20)


def test_a_weighted_goal_weighs_the_attainments_of_its_children(goals: Small) -> None:
    now = _stands(goals, "all")
    assert now["attainment"] == pytest.approx(0.75 * 0.5 + 0.25 * 0.1)
    assert now["expected"] == pytest.approx(0.75 * 0.5 + 0.25 * 0.5)
    # Views had not begun: neither did they bring anything nor was anything expected.
    before = _stands(goals, "all", "2024-06-15")
    assert before["attainment"] == 0
    assert before["expected"] == pytest.approx(0.75 * 0.25)


def test_a_seasonal_pace_comes_in_as_last_year_did(goals: Small) -> None:
    half = sum(map(_sold, _days(NEW_YEAR, AS_OF - YEAR)))
    whole = sum(map(_sold, _days(NEW_YEAR, dt.date(2023, 12, 31))))
    now = _stands(goals, "season")
    # Every day brings half more than its weekday a year ago did: it is exactly on its pace, though
    # less than half has come in by half the year.
    assert now["share_elapsed"] == pytest.approx(half / whole)
    assert half / whole < 0.45
    assert now["actual"] == pytest.approx(1.5 * half, rel=1e-3)
    assert now["expected"] == pytest.approx(now["actual"], rel=1e-3)
    assert (now["status"], now["pace_method"]) == ("on track", "seasonal")
    assert now["forecast"] == pytest.approx(1.5 * whole, rel=1e-3)
    straight = _stands(goals, "no_season")
    assert straight["actual"] == now["actual"]
    assert straight["expected"] == pytest.approx(1.5 * whole * 182 / 364, rel=1e-3)
    assert straight["status"] == "behind"


def test_without_last_year_the_pace_is_linear_and_says_so(goals: Small) -> None:
    ended = _stands(goals, "too_young", "2023-06-30")
    assert ended["pace_method"] == "linear instead of seasonal"
    assert ended["reason"] == "last year's same period is not there in full"
    # Its period is over: what came in is the forecast, and no longer a matter of probability.
    assert (
        ended["forecast"]
        == ended["actual"]
        == sum(map(_sold, _days(dt.date(2023, 6, 1), dt.date(2023, 6, 30))))
    )
    assert ended["probability"] == 1


def test_of_a_calendar_year_the_season_ends_before_it_starts(goals: Small) -> None:
    # 366 days: the same weekdays of the last two would be its own first two.
    year, season = _stands(goals, "year"), _stands(goals, "season")
    assert year["share_elapsed"] == season["share_elapsed"]
    assert year["pace_method"] == "seasonal"


def test_a_last_year_that_shows_no_season_makes_the_pace_linear_and_says_why(
    goals: Small,
) -> None:
    # The ninth of fourteen days, and the fourth: nothing was given in either.
    balanced = _stands(goals, "nothing_last_year", "2024-04-09")
    assert balanced["share_elapsed"] == pytest.approx(9 / 14)
    assert (balanced["so_far"], balanced["attainment"], balanced["status"]) == (0, 0, "off")
    assert balanced["pace_method"] == "linear instead of seasonal"
    assert balanced["reason"] == "in last year's same period nothing came in on the whole"
    overdrawn = _stands(goals, "overdrawn_last_year", "2024-05-09")
    assert overdrawn["share_elapsed"] == pytest.approx(4 / 14)
    assert overdrawn["reason"] == "last year's sum stood below 0 or above its end on some day"


def test_a_season_that_is_all_in_leaves_days_to_come_and_is_no_certainty(goals: Small) -> None:
    # Last year 8 by the second day and no more; now 6 by the seventh of fourteen days.
    now = _stands(goals, "early")
    assert (now["share_elapsed"], now["so_far"], now["forecast"]) == (1, 6, 6)
    # Of 26 weeks one brought 6, the others nothing: variance 36 / 26. A week has gone and one is
    # to come, so 36 / 26 * 1 * (1 + 1 / 1); t of 25 degrees of freedom at .975 is 2.0595.
    half = 2.0595 * (36 / 26 * 2) ** 0.5
    assert now["forecast_low"] == pytest.approx(6 - half, rel=1e-4)
    assert now["forecast_high"] == pytest.approx(6 + half, rel=1e-4)
    # 4 below the target, 2.404 standard errors: t tables have .0246 at 2.08 and .01 at 2.485.
    assert 0.01 < now["probability"] < 0.0246


def test_a_season_in_which_nothing_has_come_in_yet_has_no_forecast_and_says_why(
    goals: Small,
) -> None:
    now = _stands(goals, "late_gifts")
    assert (now["share_elapsed"], now["actual"], now["status"]) == (0, 0, "on track")
    assert now["forecast"] is None
    assert now["reason"] == ("last year nothing had come in by this day: no forecast yet")


def test_a_flow_of_a_metric_that_has_begun_is_nothing_where_nothing_came_in(goals: Small) -> None:
    # No view on a watch in two of four days: half of the baseline is still to come.
    now = _stands(goals, "watches")
    assert (now["so_far"], now["actual"], now["expected"]) == (0, 2, 6)
    assert (now["attainment"], now["forecast"], now["status"]) == (-0.5, 0, "off")
    # No page view of any device is known before 29 June, and what weighs them is unknown too.
    assert _stands(goals, "late_views", "2024-06-28")["actual"] is None
    assert _stands(goals, "late", "2024-06-28")["status"] == "unknown"
    # No gift so far is no gap: .2 * 0 + .8 * 2 / 300.
    assert _stands(goals, "late")["attainment"] == pytest.approx(0.8 * 2 / 300)


def test_a_segment_that_its_metric_never_had_is_told(goals: Small) -> None:
    assert _stands(goals, "watches")["reason"] == (
        "its metric has values, but none of device watch"
    )
    gold = _stands(goals, "gold")
    assert (gold["actual"], gold["status"]) == (None, "unknown")
    assert gold["reason"] == "its metric has values, but none of plan gold"


def test_a_month_counts_for_a_goal_from_its_last_day_and_a_ratio_for_its_window(
    goals: Small,
) -> None:
    # The goal ended on 15 June: of June nothing was known then, and May ended with 10. The gate
    # that the fixture went through looks at the same.
    assert _stands(goals, "ended", "2024-06-15")["actual"] == 10
    # One of two was slow on 1 May, which 28 days later nobody looks at any more.
    assert _stands(goals, "slow_tablet", "2024-05-28")["actual"] == 0.5
    assert _stands(goals, "slow_tablet", "2024-05-29")["actual"] is None
    assert _stands(goals, "slow_tablet")["actual"] is None


def test_what_has_no_value_is_unknown_and_what_has_not_begun_has_no_day(goals: Small) -> None:
    now = _stands(goals, "unasked")
    assert (now["actual"], now["status"]) == (None, "unknown")
    assert now["reason"] == "its metric has no value yet"
    assert _stands(goals, "later") == {}


def test_targets_that_do_not_add_up_are_a_gap_beside_the_goals(goals: Small) -> None:
    assert goals.rows(
        "select goal_id, parent_id, baseline, target from goals where is_gap order by goal_id"
    ) == [("revenue/gap", "revenue", 0, 10), ("views/gap", "views", 0, 2)]
    # Ratios do not add up, and what is weighed promises nothing.
    assert goals.rows("select count(*) from goals where is_gap") == [(2,)]


def test_progress_is_kept_for_every_day_of_the_period(goals: Small) -> None:
    assert goals.rows(
        "select goal_id, count(*) from goal_progress group by goal_id having goal_id in "
        "('all', 'too_young', 'views') order by goal_id"
    ) == [("all", 30), ("too_young", 30), ("views", 2)]


@pytest.mark.parametrize("column", ["actual", "attainment", "forecast", "forecast_high"])
@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_what_is_no_finite_number_is_not_published(goals: Small, column: str, value: str) -> None:
    marts = settings.dbt_project_dir() / "models" / "marts" / "goals"
    (model,) = yaml.safe_load((marts / "goal_progress.yml").read_text())["models"]
    tests = [test["holds"] for test in model["data_tests"] if "holds" in test]
    (condition,) = (test["arguments"]["condition"] for test in tests)
    refused = "select count(*) from ({}) where not coalesce(({}), false)"
    row = "select * {} from goal_progress where goal_id = 'early' and day = date '2024-06-30'"
    spoiled = row.format(f"replace (cast('{value}' as double) as {column})")
    assert goals.rows(refused.format(row.format(""), condition)) == [(0,)]
    assert goals.rows(refused.format(spoiled, condition)) == [(1,)]


def test_the_scorecard_counts_every_running_goal_and_says_why(goals: Small) -> None:
    rows = goals.rows(
        "select unit, goal_count, off_count, unknown_count, volume_goal_count, why "
        "from unit_scorecard order by unit"
    )
    told = {row[0]: row[1:] for row in rows}
    assert told.keys() == {"board", "gifts", "news", "other", "product", "sales"}
    assert told["news"][:4] == (3, 3, 0, 3)
    # By hand: 6 so far and half of 10; half of the way from 10 to 20; 6 in two of four days.
    assert (
        "Views: 11.0 where the pace asks for 15.0, heading for 12.0 of 20.0 (off)"
        in told["news"][4]
    )
    assert told["sales"][2] == 1
    # A goal without a forecast is told of all the same: .8 * 2 / 300 where .8 / 3 is asked for.
    assert (
        "Late weighed: 0.005 where the pace asks for 0.267, no forecast yet, target 1.0 (off)"
        in told["gifts"][4]
    )


def test_a_deprecated_metric_or_a_typing_mistake_never_reaches_a_refresh(tmp_path: Path) -> None:
    from orchestration import publisher
    from orchestration.errors import ConfigurationError

    small = Small(tmp_path / "wrong", ["events"])
    goal = {"id": "g", "title": "t", "unit": "u", "owner": "o", "metric": "page_view"}
    (small.folder / "goals.yml").write_text(json.dumps({"goals": [goal]}))
    with pytest.raises(ConfigurationError, match="unknown metric 'page_view'"):
        publisher.load(small.path)
