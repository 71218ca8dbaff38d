"""The churn that was planted in the demo is what the models find."""

import datetime as dt
import json
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
import yaml

from orchestration import goals, initiatives, pseudonyms, refresh, reports, settings, warehouse
from orchestration.demo import make_demo
from orchestration.estimators import risk_ratio
from orchestration.settings import Home
from tests.refresh.small import Small, invoke

KEY = "0123456789abcdef0123456789abcdef"
# What the score and the initiatives of the lists read, and nothing else.
FEEDS = ("events", "accounts", "subscriptions", "payments", "page_speed", "surveys") + (
    "exchange_rates",
    "initiative_members",
)
# Two-sided 99.9 %: ten hazards are looked at, and one draw of the demo decides.
WIDTH = 3.29


class Demo(Small):
    """The demo publisher with a few of its feeds, half as large, its churn models built."""

    def __init__(self, folder: Path) -> None:
        """Makes the files, lands them and builds what leads to churn_risk."""
        self.home = Home(folder)
        self.path = folder / "publisher.yml"
        make_demo(folder / "source", scale=0.5)
        # An event a day from each device of an account, logged in and not: all that whoever read is
        # known by, and quick to land.
        duckdb.execute(
            f"""
            copy (
                with events as (from '{folder}/source/events/*.parquet')
                select * from events
                where visitor in (select visitor from events where "user" is not null)
                qualify row_number() over (
                    partition by "user", visitor, ts // 86400000 order by ts, id
                ) = 1
            ) to '{folder}/source/read.parquet'
            """
        )
        demo = settings.project_root() / "publishers" / "demo" / "publisher.yml"
        stated = yaml.safe_load(demo.read_text())
        stated["feeds"] = {feed: stated["feeds"][feed] for feed in FEEDS}
        stated["feeds"]["events"]["files"] = "${ARVO_HOME}/source/read.parquet"
        self.path.write_text(yaml.safe_dump(stated))
        for name in (goals.FILE, initiatives.FILE):
            shutil.copyfile(demo.parent / name, folder / name)
        self.run("+churn_risk", "+effect_initiatives")

    def run(self, *models: str, **asked: Any) -> None:
        """Lands what is new and builds those models."""
        with self.opened(**asked) as run:
            for feed in run.publisher.feeds:
                refresh.land(run, feed)
            refresh.has_work(run)
            refresh.prepare_models(run)
            assert invoke(run.home, ["run", "--select", *models], run.home.build / "dbt")
            run.verdict = reports.PUBLISHED

    def found(self, sql: str) -> list[tuple[Any, ...]]:
        with warehouse.connect(self.home, read_only=True) as connection:
            return connection.execute(sql).fetchall()

    def planted(self, name: str) -> Any:
        return json.loads((self.home.root / "source" / "truths.json").read_text())["planted"][name]

    def is_treated(self) -> dict[str, bool]:
        """Whether the welcome call is planned for an account, by its pseudonym."""
        lines = (self.home.root / "source" / "accounts.jsonl").read_text().splitlines()
        emails = {json.loads(line)["email"] for line in lines} - {None}
        return {
            pseudonyms.pseudonym(KEY.encode(), "account", email): int(
                "".join(filter(str.isdigit, email))
            )
            % 2
            == 0
            for email in emails
        }


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with pytest.MonkeyPatch.context() as patched:
        folder = tmp_path_factory.mktemp("churn")
        patched.setenv("ARVO_HOME", str(folder))
        patched.setenv("ARVO_PSEUDONYM_KEY", KEY)
        yield Demo(folder)


@pytest.fixture(scope="module")
def counts(demo: Demo) -> dict[tuple[str, bool], tuple[int, int]]:
    """Left and looked at, by plan and whether he did not read, of those nothing was done to."""
    treated_from = {
        each["name"]: dt.date.fromisoformat(each["from_day"])
        for each in demo.planted("initiatives")
    }["welcome call"]
    is_treated = demo.is_treated()
    left, seen = Counter[tuple[str, bool]](), Counter[tuple[str, bool]]()
    for customer, day, plan, is_inactive, has_left in demo.found(
        """
        select customer_id, moment_day, plan, is_inactive = 1, has_left and not is_paused
        from intermediate.int_churn_examples where sample = 'current'
        """
    ):
        # The period begins on the day after the moment.
        if day + dt.timedelta(days=1) < treated_from or not is_treated[customer]:
            seen[plan, is_inactive] += 1
            left[plan, is_inactive] += has_left
    return {group: (left[group], n) for group, n in seen.items()}


def test_the_planted_hazards_lie_in_the_intervals_of_those_found(
    demo: Demo, counts: dict[tuple[str, bool], tuple[int, int]]
) -> None:
    ratio = demo.planted("churn_ratio_of_subscribers_who_do_not_use")["value"]
    hazards = demo.planted("churn_hazard_by_plan")["value"]
    assert {plan for plan, _ in counts} == hazards.keys()
    for (plan, is_inactive), (left, n) in counts.items():
        truth = hazards[plan] * (ratio if is_inactive else 1)
        # Wilson's interval of left / n holds the truth when the truth lies so near to it.
        error = (truth * (1 - truth) / n) ** 0.5
        assert abs(left / n - truth) < WIDTH * error, (plan, is_inactive, left, n)


def test_subscribers_who_do_not_read_leave_three_times_as_often(
    demo: Demo, counts: dict[tuple[str, bool], tuple[int, int]]
) -> None:
    plans = sorted({plan for plan, _ in counts})
    idle, others = (np.array([counts[plan, each] for plan in plans]) for each in (True, False))
    found = risk_ratio.mantel_haenszel(idle[:, 0], idle[:, 1], others[:, 0], others[:, 1])
    assert found.lower < demo.planted("churn_ratio_of_subscribers_who_do_not_use")["value"]
    assert found.upper > 3
    # And it tells three from none.
    assert found.lower > 1.5


def test_sleepers_are_at_risk_and_know_why(demo: Demo) -> None:
    assert demo.found("select distinct method from marts.churn_risk") == [
        ("logistic_recalibrated",)
    ]
    # Three times was planted; a score of few covariates and few who left draws it towards one.
    [(low_enough, high_enough)] = demo.found(
        """
        select avg(probability) filter (where is_sleeper) < 4 * avg(probability) filter (
            where not is_sleeper), avg(probability) filter (where is_sleeper)
            > 1.5 * avg(probability) filter (where not is_sleeper)
        from marts.churn_risk
        """
    )
    assert (low_enough, high_enough) == (True, True)
    [(told,)] = demo.found(
        """
        select count(*) filter (where 'no visit in the last 28 days'
            in (reason_1, reason_2, reason_3)) = count(*)
        from marts.churn_risk where is_sleeper
        """
    )
    assert told


def test_the_score_is_better_than_the_plan_on_what_came_after_the_calibration(demo: Demo) -> None:
    measured = dict(
        demo.found(
            "select measure, value > coalesce(naive_value, 0) from intermediate.quality_churn "
            "where is_used and calibration_end = date '2026-03-31' "
            "and holdout_end = date '2026-06-30'"
        )
    )
    assert measured == {
        "auc": True,
        "brier": False,
        "brier_skill": True,
        "calibration_slope": True,
    }


def test_the_planted_effect_of_the_call_is_recovered_and_no_effect_is_shown_of_the_newsletter(
    demo: Demo,
) -> None:
    planted = {each["name"]: each for each in demo.planted("initiatives")}
    assert planted["new newsletter"]["churn_hazard_ratio"] == 1.0
    # What the call keeps is the part it takes off the chance to leave of those it is made to.
    [(chance,)] = demo.found(
        """
        select 1 - avg(value) from intermediate.int_initiative_outcomes
        where initiative_id = 'welcome_call' and period >= 0 and not is_treated
        """
    )
    kept = (1 - planted["welcome call"]["churn_hazard_ratio"]) * chance
    found = {
        name: rest
        for name, *rest in demo.found(
            "select initiative_id, lower_bound, upper_bound, treated_customers, is_shown "
            "from intermediate.effect_initiatives"
        )
    }
    lower, upper, treated, _ = found["welcome_call"]
    assert lower < kept < upper
    assert treated > 300
    lower, upper, treated, is_shown = found["new_newsletter"]
    assert lower < 0 < upper
    assert (treated > 200, is_shown) == (True, False)


def test_what_is_known_at_a_moment_is_what_was_known_on_that_day(demo: Demo) -> None:
    known = ", ".join(
        name
        for (name,) in demo.found(
            "select column_name from information_schema.columns where table_schema = "
            "'intermediate' and table_name = 'int_churn_examples' order by ordinal_position"
        )
        if name not in ("sample", "has_left", "is_paused", "judged_on")
    )
    examples = f"select {known} from intermediate.int_churn_examples where moment_day = "
    later = demo.found(f"{examples} date '2026-06-02' and sample = 'current' order by all")
    # The last of the module's tests: the home is then one of four weeks earlier.
    demo.run("+int_churn_examples", as_of=dt.date(2026, 6, 2))
    on_the_day = demo.found(f"{examples} date '2026-06-02' and sample = 'scoring' order by all")
    assert len(on_the_day) > 500
    assert later == on_the_day
