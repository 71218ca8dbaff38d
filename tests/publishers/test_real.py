"""Real data that nobody here wrote, through the configurations in publishers/.

The data lies beside the project, not in it: where it is absent these tests skip and say so.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from orchestration import settings, warehouse
from orchestration.estimators import bg_nbd, gamma_gamma
from orchestration.estimators.fit import Fit
from orchestration.reports import PUBLISHED
from orchestration.settings import Home
from tests.refresh.small import Small

LIKELIHOOD = "log_likelihood"
DATA = settings.project_root().parent / "shared" / "data"

pytestmark = pytest.mark.skipif(not DATA.exists(), reason=f"the real data is not at {DATA}")


class Real(Small):
    """A publisher of publishers/, in a home of its own."""

    def __init__(self, name: str, folder: Path) -> None:
        """Reads what is there; writes nothing but the home."""
        self.path = settings.project_root() / "publishers" / name / "publisher.yml"
        self.home = Home(folder / "home")


@pytest.fixture(autouse=True)
def data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARVO_DATA", str(DATA))


def refreshed(name: str, folder: Path) -> Small:
    real = Real(name, folder)
    assert real.refresh(tests=False).verdict == PUBLISHED
    return real


def test_deskdrop_gives_its_customers_and_sessions(tmp_path: Path) -> None:
    # 64,054 rows, of which 9 repeat another one exactly and so are one event with it: they take
    # no customer and no session away.
    real = refreshed("deskdrop", tmp_path)
    assert real.rows("select row_count from data_assets where feed = 'events'") == [(64054,)]
    assert real.rows("select count(*), sum(session_count) from customers") == [(1792, 33056)]
    built = real.built()["staging.stg_events"]
    assert len(built) == 64054 - 9


@pytest.fixture(scope="module")
def cdnow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Small]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ARVO_DATA", str(DATA))
        yield refreshed("cdnow", tmp_path_factory.mktemp("cdnow"))


def test_cdnow_gives_its_ledger(cdnow: Small) -> None:
    assert cdnow.rows(
        "select count(*), cast(sum(economic_past_value) as varchar) from customer_value"
    ) == [(2357, "244091.9400")]


def test_cdnow_gives_its_published_parameters_from_its_transactions(cdnow: Small) -> None:
    # Fader, Hardie & Lee 2005, Marketing Science 24(2), table 2, of 2,357 customers; Fader &
    # Hardie 2013, of 946 of them who bought again. A free first purchase makes a customer.
    found = cdnow.rows(
        """
        select estimator, parameter, value, n, method
        from estimates where sample = 'calibration' and estimator not like '%_naive'
            and estimator like 'purchase%'
        """
    )
    assert {(estimator, n, method) for estimator, _, _, n, method in found} == {
        ("purchases", 2357, "bg_nbd"),
        ("purchase_mean_value", 946, "gamma_gamma"),
    }
    values = {parameter: value for _, parameter, value, _, _ in found if parameter != LIKELIHOOD}
    assert {name: round(values[name], 3) for name in ("r", "alpha", "a", "b")} == {
        "r": 0.243,
        "alpha": 4.414,
        "a": 0.793,
        "b": 2.426,
    }
    assert {name: round(values[name], 2) for name in ("p", "q", "gamma")} == {
        "p": 6.25,
        "q": 3.74,
        "gamma": 15.44,
    }
    likelihoods = {each[0]: each[2] for each in found if each[1] == LIKELIHOOD}
    assert round(likelihoods["purchases"], 1) == -9582.4


def test_cdnow_repeats_in_the_next_39_weeks_as_published(cdnow: Small) -> None:
    # Definitions §3: 1,653.4 expected of the 2,357 customers, 1,882 came.
    with warehouse.connect(cdnow.home, read_only=True) as connection:
        found = connection.execute(
            """
            select measure, round(value, 1), n, cast(calibration_end as varchar),
                cast(holdout_end as varchar), is_used
            from intermediate.quality_purchases where measure like '%ed' or measure like '%actual'
            order by measure
            """
        ).fetchall()
        better = connection.execute(
            "select bool_and(value < naive_value), count(*) from intermediate.quality_purchases "
            "where measure like '%rmse'"
        ).fetchone()
    held = (2357.0, "1997-09-30", "1998-06-30", True)
    assert found == [
        ("repeat_purchases_actual", 1882.0, *held),
        ("repeat_purchases_predicted", 1653.4, *held),
    ]
    assert better == (True, 2)


def test_cdnow_scores_every_customer_as_the_estimators_do(cdnow: Small) -> None:
    # SQL joins a curve and works out P(alive) and E[M]; the estimators are held to the published
    # customer. Margin .3, 260 weeks, 10 %, from publishers/cdnow/assumptions.yml.
    with warehouse.connect(cdnow.home, read_only=True) as connection:
        parameters = dict(
            connection.execute(
                "select parameter, value from intermediate.fit_purchases "
                "where sample = 'current' and method in ('bg_nbd', 'gamma_gamma')"
            ).fetchall()
        )
        rows = connection.execute(
            """
            select frequency, recency_days / 7, age_days / 7, valued_repeat_days,
                repeat_value / greatest(valued_repeat_days, 1), alive_probability,
                expected_purchases, expected_mean_value, purchase_value_base
            from intermediate.int_purchase_value
            inner join intermediate.int_purchase_history using (customer_id)
            where sample = 'current'
            """
        ).fetchall()
    x, t_x, age, days, mean, *scored = np.array(rows, dtype=float).T
    buying = Fit.known("bg_nbd", **{name: parameters[name] for name in bg_nbd.NAMES})
    spending = Fit.known("gamma_gamma", **{name: parameters[name] for name in ("p", "q", "gamma")})
    worth = gamma_gamma.expected_mean(spending, days, mean)
    discounted = bg_nbd.discounted_purchases(buying, x, t_x, age, 260, 0.1)
    assert len(rows) == 2357
    np.testing.assert_allclose(scored[0], bg_nbd.alive(buying, x, t_x, age), rtol=1e-9)
    expected = bg_nbd.expected_purchases(buying, x, t_x, age, 260)
    np.testing.assert_allclose(scored[1], expected, rtol=1e-9)
    np.testing.assert_allclose(scored[2], worth, rtol=1e-9)
    np.testing.assert_allclose(scored[3], 0.3 * worth * discounted, atol=5.1e-5)


def test_ebnerd_gives_its_readers_and_their_reading(tmp_path: Path) -> None:
    real = refreshed("ebnerd", tmp_path)
    assert real.rows(
        """
        select segment, count(*), sum(page_views_30d), sum(engaged_seconds_30d)
        from customers inner join engagement using (customer_id)
        group by segment order by segment
        """
    ) == [("registered", 23, 384, 21912), ("subscriber", 15, 662, 23804)]
    assert real.rows(
        "select sum(identified_page_views), sum(page_views) from identity_coverage"
    ) == [(1046, 1046)]


def test_telco_gives_its_survival_and_values_who_is_left(tmp_path: Path) -> None:
    # The data's README: 7,043 customers, of whom 1,869 churned, and the survival of all.
    real = refreshed("telco", tmp_path)
    assert real.rows("select row_count from data_assets where feed = 'subscriptions'") == [(7043,)]
    assert real.rows("select count(*) from customers") == [(7043,)]
    curve = "from retention where cohort is null and plan = '(all plans)'"
    assert real.rows(f"select sum(churned) {curve}") == [(1869,)]
    survival = real.rows(
        f"select tenure, round(survival, 4) {curve} and tenure in (12, 24, 36, 48, 60) "
        "order by tenure"
    )
    assert survival == [(12, 0.8432), (24, 0.7887), (36, 0.7485), (48, 0.7088), (60, 0.6644)]
    # No later period to hold the score against: a fifth of the customers is held out instead. By
    # tenure, price and contract, a logistic regression of this table is usually at an AUC of .84.
    quality = dict(
        real.rows(
            "select measure, value from estimate_quality where estimator = 'churn' and is_used "
            "and calibration_end is null"
        )
    )
    assert 0.78 < quality["auc"] < 0.87
    assert 0 < quality["brier"] < 0.165
    assert quality["brier_skill"] > 0.05
    # Who is left: 7,043 - 1,869.
    assert real.rows("select count(*) from churn_risk where probability between 0 and 1") == [
        (5174,)
    ]
