"""From a billing system's rows to what contracts are worth and how long they last."""

import datetime as dt
from decimal import Decimal

import pytest
from scipy.special import hyp2f1

from orchestration import warehouse
from orchestration.reports import PUBLISHED
from tests.refresh.small import Small, subscription

# Survivors of 1,000 after each of 7 renewals: "Regular", Fader & Hardie 2007, table 1.
REGULAR = (1000, 631, 468, 382, 326, 289, 262, 241)


@pytest.fixture(scope="module")
def regular(tmp_path_factory: pytest.TempPathFactory) -> Small:
    """The published cohort as a billing system tells it: contracts by the year, since 2015."""
    # In June 2022 the seventh renewal is over; in the 91 days before it none came due.
    small = Small(tmp_path_factory.mktemp("regular") / "x", ["subscriptions"])
    (small.folder / "assumptions.yml").write_text(
        "subscription_margin: {low: 0.5, base: 0.6, high: 0.7}\n"
        "annual_discount_rate: {low: 0.05, base: 0.1, high: 0.2}\n"
    )
    yearly = {"billing_period": "year", "amount": 100, "plan": "regular"}
    rows = []
    for year, (before, after) in enumerate(zip(REGULAR, REGULAR[1:], strict=False), start=1):
        for number in range(after, before):
            ended = {"ended_at": f"{2015 + year}-01-10T10:00:00Z", "end_reason": "cancelled"}
            rows.append(_contract(number, **yearly, **ended))
    rows += [_contract(number, **yearly) for number in range(REGULAR[-1])]
    small.add("subscriptions", *rows)
    assert small.refresh(as_of=dt.date(2022, 6, 30), tests=False).verdict == PUBLISHED
    return small


def _contract(number: int, **more: object) -> dict[str, object]:
    return dict(subscription(f"s{number}", f"a{number}", "2015-01-10T10:00:00Z", **more))


def test_the_published_cohort_gives_its_parameters_from_raw_subscriptions(regular: Small) -> None:
    # Fader & Hardie 2007: α = .704, β = 1.182.
    found = dict(
        regular.rows(
            "select parameter, round(value, 3) from estimates where estimator = 'contractual' "
            "and segment = 'regular (year)' and sample = 'current'"
        )
    )
    assert found == {"alpha": 0.704, "beta": 1.182}


def test_who_is_left_is_worth_margin_times_price_times_residual_lifetime(regular: Small) -> None:
    # 241 customers in their eighth year; Fader & Hardie 2010, eq. 6, at n = 8.
    alpha, beta = (
        value
        for (value,) in regular.rows(
            "select value from estimates where segment = 'regular (year)' "
            "and sample = 'current' order by parameter"
        )
    )
    expected = []
    for margin, rate in ((0.5, 0.2), (0.6, 0.1), (0.7, 0.05)):
        lifetime = (beta + 7) / (alpha + beta + 7)
        lifetime *= hyp2f1(1, beta + 8, alpha + beta + 8, 1 / (1 + rate))
        expected.append(Decimal(f"{100 * margin * lifetime:.4f}"))
    with warehouse.connect(regular.home, read_only=True) as connection:
        found = connection.execute(
            "select contractual_value_low, contractual_value_base, contractual_value_high, "
            "method, count(*) from intermediate.int_contractual_value group by all"
        ).fetchall()
    assert found == [(*expected, "sbg", 241)]


def test_its_survival_is_the_share_still_there(regular: Small) -> None:
    # Nobody is censored before the seventh renewal: Kaplan and Meier's curve is the plain share.
    observed = regular.rows(
        "select round(survival * 1000) from retention where cohort is null "
        "and plan = 'regular' and method = 'kaplan_meier' order by tenure"
    )
    assert [survivors for (survivors,) in observed] == list(REGULAR[1:])
    beyond = regular.rows(
        "select tenure, method, projected_survival < 0.241 from retention "
        "where cohort is null and plan = 'regular' and survival is null"
    )
    assert beyond == [(8, "sbg", True)]
