"""What was planted in the demo is what its built marts say, in either world."""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
import yaml
from scipy.stats import beta

from orchestration import pseudonyms, publisher, refresh, reports, settings, warehouse
from orchestration.demo import make_demo
from orchestration.demo.worlds import ACTIVITY, INTENT, World
from orchestration.estimators.risk_ratio import mantel_haenszel
from orchestration.settings import Home
from tests.refresh.small import invoke

# Large enough that an interval tells six from two, and one from three.
SCALE = 0.4
FEEDS = ("events", "accounts", "subscriptions", "payments", "referrals")
MODELS = ("+activity_purchase_lift", "stg_referrals")


@dataclass(frozen=True)
class Made:
    """A world whose marts are built."""

    home: Home
    planted: dict[str, Any]

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        with warehouse.connect(self.home, read_only=True) as connection:
            return connection.execute(query).fetchall()

    def association(self, stratification: str, stratum: str) -> tuple[float, float, float]:
        """The ratio of who came at all, with its interval."""
        [row] = self.ask(
            "select association, lower_bound, upper_bound from marts.activity_purchase_lift "
            f"where activity = 'any_visit' and stratification = '{stratification}' "
            f"and stratum = '{stratum}'"
        )
        return row


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[World], Made]:
    @cache
    def make(world: World) -> Made:
        return build(tmp_path_factory.mktemp(world.name), world)

    return make


def build(root: Path, world: World) -> Made:
    """Makes a world and builds what these tests ask of it."""
    make_demo(root / "source", scale=SCALE, world=world)
    # A file instead of one a day, without the heartbeats: half the time, and the same days.
    events = root / "events.parquet"
    duckdb.execute(
        f"copy (from '{root}/source/events/*.parquet' where type <> 'ping') to '{events}'"
    )
    stated = settings.project_root() / "publishers" / "demo" / "publisher.yml"
    text = stated.read_text().replace("${ARVO_HOME}", str(root))
    configuration = yaml.safe_load(text)
    configuration["feeds"] = {feed: configuration["feeds"][feed] for feed in FEEDS}
    configuration["feeds"]["events"]["files"] = str(events)
    path = root / "publisher.yml"
    path.write_text(yaml.safe_dump(configuration))
    home = Home(root)
    with refresh.opened(home, publisher.load(path)) as run:
        for feed in run.publisher.feeds:
            refresh.land(run, feed)
        refresh.has_work(run)
        refresh.prepare_models(run)
        run.verdict = reports.PUBLISHED
    assert invoke(home, ["run", "--select", *MODELS], root / "dbt")
    truths = json.loads((root / "source" / "truths.json").read_text())
    return Made(home, truths["planted"])


def test_activity_multiplies_first_purchases_by_six(made: Callable[[World], Made]) -> None:
    world = made(ACTIVITY)
    assert world.planted["activity_to_first_purchase_risk_ratio"]["value"] == 6
    for stratum in ("(crude)", "(stratified)"):
        for stratification in ("block", "registration", "prior_intent", "prior_activity"):
            _, low, high = world.association(stratification, stratum)
            # Neither nothing nor anything: the interval tells six from two.
            assert 2 < low < 6 < high, (stratification, stratum)


def test_where_intent_drives_both_only_comparing_like_with_like_shows_it(
    made: Callable[[World], Made],
) -> None:
    world = made(INTENT)
    planted = world.planted["activity_to_first_purchase_risk_ratio"]
    assert planted["value"] == 1
    _, crude_low, _ = world.association("prior_intent", "(crude)")
    _, low, high = world.association("prior_intent", "(stratified)")
    # As high as where activity drives it, and nothing left of it among those of like intent.
    assert crude_low > 2.5
    assert 0.5 < low < planted["value"] < high < 2
    # What does not tell who means to buy does not help.
    assert world.association("registration", "(stratified)")[1] > 2.5


def test_intent_is_what_the_checkout_shows(made: Callable[[World], Made]) -> None:
    # Counted from the mart: those who had been to the checkout against those who had not.
    world = made(INTENT)
    rows = world.ask(
        """
        select
            exposed_purchasers + unexposed_purchasers, exposed_customers + unexposed_customers
        from marts.activity_purchase_lift
        where activity = 'any_visit' and stratification = 'prior_intent' and stratum <> '(crude)'
            and stratum <> '(stratified)'
        order by stratum = 'checkout' desc
        """
    )
    (bought, keen), *others = rows
    bought_others, rest = (sum(column) for column in zip(*others, strict=True))
    error = math.sqrt(1 / bought - 1 / keen + 1 / bought_others - 1 / rest)
    ratio = bought / keen / (bought_others / rest)
    planted = world.planted["activity_to_first_purchase_risk_ratio"]["intent"]
    assert abs(math.log(ratio / planted["purchase_risk_ratio"])) < 1.96 * error


def test_subscribers_leave_as_often_as_was_planted(made: Callable[[World], Made]) -> None:
    world = made(ACTIVITY)
    counts = churners(world)
    for plan, hazard in world.planted["churn_hazard_by_plan"]["value"].items():
        left, held = counts[plan, True]
        # Clopper and Pearson's interval, five of them at once: each at 99 %.
        low = beta.ppf(0.005, left, held - left + 1) if left else 0.0
        high = beta.ppf(0.995, left + 1, held - left)
        assert low < hazard < high, (plan, left, held)
    plans = sorted({plan for plan, _ in counts})
    idle, active = (np.array([counts[p, used] for p in plans]).T for used in (False, True))
    ratio = mantel_haenszel(idle[0], idle[1], active[0], active[1])
    planted = world.planted["churn_ratio_of_subscribers_who_do_not_use"]["value"]
    assert 1 < ratio.lower < planted < ratio.upper


def churners(world: Made) -> dict[tuple[str, bool], tuple[int, int]]:
    """By plan and whether he was active before: who left in a block, and who could have.

    Only who is not called: the call keeps accounts of even numbers from a day on.
    """
    call, _ = world.planted["initiatives"]
    secret = pseudonyms.existing_key(world.home)
    called = [
        pseudonyms.pseudonym(secret, "account", raw)
        for (raw,) in duckdb.execute(
            f"select distinct email from '{world.home.root}/source/accounts.jsonl' "
            f"where cast(regexp_extract(email, '[0-9]+') as integer) % {call['every']} = 0"
        ).fetchall()
    ]
    with warehouse.connect(world.home) as connection:
        connection.execute("create or replace temp table called (account_id varchar)")
        connection.execute("insert into called select unnest(?)", [called])
        rows = connection.execute(
            f"""
            with

            periods as (

                select
                    *,
                    cast(timezone('Europe/Helsinki', timezone('UTC', started_at)) as date) as began,
                    cast(timezone('Europe/Helsinki', timezone('UTC', ended_at)) as date) as ended,
                    row_number() over (
                        partition by subscription_id order by started_at desc
                    ) = 1 as is_last
                from staging.stg_subscriptions

            ),

            blocks as (

                select date '2026-06-30' - 27 - 28 * cast(number as integer) as start
                from range(5) as numbers(number)

            ),

            ends as (select subscription_id, ended from periods where is_last),

            active as (

                select distinct start, account_id
                from blocks
                inner join intermediate.int_visitor_days on day between start - 28 and start - 1

            )

            select
                periods.plan,
                active.account_id is not null as has_used,
                count(*) filter (where ends.ended >= start and ends.ended < start + 28),
                count(*)
            from periods
            inner join ends on periods.subscription_id = ends.subscription_id
            inner join blocks on began < start and (periods.ended is null or periods.ended >= start)
            left join active using (start, account_id)
            left join called using (account_id)
            where periods.status = 'active'
                and (called.account_id is null or start < date '{call["from_day"]}')
            group by all
            """
        ).fetchall()
    return {(plan, used): (left, held) for plan, used, left, held in rows}


def test_of_the_first_purchases_the_planted_share_was_referred(
    made: Callable[[World], Made],
) -> None:
    world = made(ACTIVITY)
    planted = world.planted["referred_share_of_first_purchases"]
    [(bought, referred)] = world.ask(
        """
        select count(*), count(referrals.referral_id)
        from intermediate.int_first_purchases as purchases
        left join staging.stg_referrals as referrals
            on referrals.referred_account_id = purchases.customer_id
            and referrals.outcome = 'subscription'
        where purchases.day >= date '2026-01-02'
        """
    )
    assert (referred, bought) == (planted["referred"], planted["first_purchases"])
    error = math.sqrt(planted["value"] * (1 - planted["value"]) / bought)
    assert abs(referred / bought - planted["value"]) < 1.96 * error
