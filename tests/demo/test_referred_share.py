"""The share of first purchases that recommendations stand for, planted and read from the marts."""

import json
import shutil

import pytest
import yaml
from scipy.stats import beta

from orchestration import publisher, refresh, reports, settings, warehouse
from orchestration.assumptions import FILE
from orchestration.demo import make_demo
from orchestration.settings import Home
from tests.refresh.small import invoke

FEEDS = ("accounts", "subscriptions", "payments", "referrals", "mentions", "surveys", "costs")
FEEDS += ("exchange_rates",)
DEMO = settings.project_root() / "publishers" / "demo"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A small demo whose social value and acquisition are built, without its visits."""
    root = tmp_path_factory.mktemp("referred")
    make_demo(root / "source", scale=0.3)
    stated = yaml.safe_load((DEMO / "publisher.yml").read_text().replace("${ARVO_HOME}", str(root)))
    stated["feeds"] = {feed: stated["feeds"][feed] for feed in FEEDS}
    path = root / "publisher.yml"
    path.write_text(yaml.safe_dump(stated))
    shutil.copyfile(DEMO / FILE, root / FILE)
    made = Home(root)
    with refresh.opened(made, publisher.load(path)) as run:
        for feed in run.publisher.feeds:
            refresh.land(run, feed)
        refresh.has_work(run)
        refresh.prepare_models(run)
        run.verdict = reports.PUBLISHED
    assert invoke(made, ["run", "--select", "+social_value", "+acquisition"], root / "dbt")
    return made


def ask(home: Home, query: str) -> tuple[int, ...]:
    """The only row of a query over the marts built."""
    with warehouse.connect(home, read_only=True) as connection:
        [row] = connection.execute(query).fetchall()
    return tuple(row)


def test_the_referred_share_of_first_purchases_is_what_was_planted(home: Home) -> None:
    truths = json.loads((home.root / "source" / "truths.json").read_text())
    planted = truths["planted"]["referred_share_of_first_purchases"]
    referred, bought = ask(
        home,
        """
        select
            (select sum(subscription_referral_count)::int from marts.social_value),
            sum(acquired_customers)::int
        from marts.acquisition where channel = '(all)' and month >= '2026-01-01'
        """,
    )
    assert (referred, bought) == (planted["referred"], planted["first_purchases"])
    # Clopper and Pearson's interval of the share.
    low = beta.ppf(0.025, referred, bought - referred + 1)
    high = beta.ppf(0.975, referred + 1, bought - referred)
    assert low < planted["value"] == 0.12 < high
    # Neither nothing nor anything.
    assert low > 0.06 and high < 0.2


def test_bad_words_cost_and_recommendations_bring(home: Home) -> None:
    negative, positive, unknown = ask(
        home,
        """
        select
            count(*) filter (where social_value_base < 0),
            count(*) filter (where social_value_base > 0),
            count(*) filter (where social_value_base is null)
        from marts.social_value
        """,
    )
    assert negative > 10
    assert positive > 10
    assert unknown == 0


def test_what_customers_credit_is_less_than_they_bring(home: Home) -> None:
    credited, brought = ask(
        home,
        """
        select
            (select sum(influence_value) from marts.social_value),
            (select sum(own_value) from intermediate.int_referral_credits)
        """,
    )
    assert 0 < credited < brought
