"""Retention of contracts: published fits, and what must hold for any."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import hyp2f1

from orchestration.estimators import sbg
from orchestration.estimators.fit import Fit, quantity_interval
from tests.estimators import simulate
from tests.estimators.properties import tried

# Survivors of 1,000 after each of 7 renewals: Fader & Hardie 2007, table 1.
REGULAR = (631, 468, 382, 326, 289, 262, 241)
HIGH_END = (869, 743, 653, 593, 551, 517, 491)

shapes = st.floats(0.05, 20)
models = st.builds(lambda a, b: Fit.known("sbg", alpha=a, beta=b), shapes, shapes)


def cohort(survivors: tuple[int, ...], of: int = 1000) -> Fit:
    """The fit of one cohort seen from its start."""
    at_risk = np.array([of, *survivors[:-1]])
    return sbg.fit(np.arange(1, len(survivors) + 1), at_risk, at_risk - survivors)


@pytest.mark.parametrize(
    ("survivors", "alpha", "beta", "log_likelihood"),
    [(REGULAR, 0.704, 1.182, -1680.3), (HIGH_END, 0.668, 3.806, -1611.2)],
)
def test_the_published_cohorts_give_the_published_parameters(
    survivors: tuple[int, ...], alpha: float, beta: float, log_likelihood: float
) -> None:
    # Fader & Hardie 2007: parameters and log-likelihood of both segments.
    found = cohort(survivors)
    assert (found.method, found.converged) == ("sbg", True)
    assert found["alpha"] == pytest.approx(alpha, abs=5e-4)
    assert found["beta"] == pytest.approx(beta, abs=5e-4)
    assert found.log_likelihood == pytest.approx(log_likelihood, abs=5e-2)


def test_the_regular_cohort_has_the_likelihood_of_its_definition() -> None:
    # Definitions §3: −1,680.27, as Σ d_t ln P(T=t) + n_alive ln S(T).
    found = cohort(REGULAR)
    assert found.log_likelihood == pytest.approx(-1680.27, abs=5e-3)
    lost = -np.diff([1000, *REGULAR])
    total = lost @ np.log(sbg.churn(found, np.arange(1, 8)))
    total += REGULAR[-1] * math.log(sbg.survival(found, 7)[0])
    assert found.log_likelihood == pytest.approx(total)


def test_the_residual_lifetimes_of_the_regular_cohort_are_those_of_its_definition() -> None:
    # Definitions §3: 2.9644 for a new customer, 4.1031 after a renewal, at 10 %.
    lifetimes = sbg.residual_lifetime(cohort(REGULAR), [1, 2], 0.10)
    np.testing.assert_allclose(lifetimes, [2.9644, 4.1031], atol=5e-5)


def test_the_residual_lifetime_of_a_long_standing_high_end_customer_is_the_peers() -> None:
    # An independent program (shifted_beta_geometric_py) for 7 renewals at 10 %: 7.530.
    model = Fit.known("sbg", alpha=0.668, beta=3.806)
    assert sbg.residual_lifetime(model, 8, 0.10)[0] == pytest.approx(7.530, abs=5e-4)


def test_a_line_of_cohorts_gives_the_peers_parameters() -> None:
    # The same program's example: four cohorts that began a year after one another, 10,000 each,
    # the last seen for one renewal only; its parameters to two decimals are 3.80 and 15.19.
    at_risk = [10_000 * 4, 8_000 * 3, 6_480 * 2, 5_307]
    churned = [2_000 * 4, 1_520 * 3, 1_173 * 2, 916]
    found = sbg.fit([1, 2, 3, 4], at_risk, churned)
    assert found["alpha"] == pytest.approx(3.80, rel=0.01)
    assert found["beta"] == pytest.approx(15.19, rel=0.01)


def test_uniform_churn_chances_give_the_survival_worked_out_by_hand() -> None:
    # α = β = 1: S(t) = 1/(1+t), r_t = t/(t+1), P(T=t) = 1/(t(t+1)).
    uniform = Fit.known("sbg", alpha=1.0, beta=1.0)
    np.testing.assert_allclose(sbg.survival(uniform, [0, 1, 2, 3]), [1, 1 / 2, 1 / 3, 1 / 4])
    np.testing.assert_allclose(sbg.retention(uniform, [1, 2, 3]), [1 / 2, 2 / 3, 3 / 4])
    np.testing.assert_allclose(sbg.churn(uniform, [1, 2, 3]), [1 / 2, 1 / 6, 1 / 12])
    # Σ_{t≥1} v^(t−1)/(1+t) = (−ln(1−v) − v)/v², at v = 1/2: 4·(ln 2 − 1/2) = .772589.
    assert sbg.residual_lifetime(uniform, 1, 1.0)[0] == pytest.approx(4 * (math.log(2) - 0.5))


@tried
@given(models, st.integers(1, 60), st.floats(0.005, 0.5))
def test_a_residual_lifetime_is_the_closed_form(model: Fit, n: int, discount: float) -> None:
    # Fader & Hardie 2010, eq. 6.
    alpha, beta = model["alpha"], model["beta"]
    closed = (beta + n - 1) / (alpha + beta + n - 1)
    closed *= hyp2f1(1, beta + n, alpha + beta + n, 1 / (1 + discount))
    assert sbg.residual_lifetime(model, n, discount)[0] == pytest.approx(closed, rel=1e-8)


@tried
@given(models, st.integers(1, 30), st.floats(0.02, 0.5))
def test_a_residual_lifetime_is_the_discounted_sum_of_survival(
    model: Fit, n: int, discount: float
) -> None:
    ahead = np.arange(n, n + 2500)
    share = sbg.survival(model, ahead) / sbg.survival(model, n - 1)
    total = (share * (1 + discount) ** -(ahead - n).astype(float)).sum()
    assert sbg.residual_lifetime(model, n, discount)[0] == pytest.approx(total, rel=1e-9)


@tried
@given(models)
def test_every_customer_churns_once_or_is_still_there(model: Fit) -> None:
    t = np.arange(1, 50)
    total = np.cumsum(sbg.churn(model, t)) + sbg.survival(model, t)
    np.testing.assert_allclose(total, 1, rtol=1e-9)


@tried
@given(models, st.floats(0.01, 0.5))
def test_who_stays_longer_is_worth_more(model: Fit, discount: float) -> None:
    periods = np.arange(1, 40)
    assert (np.diff(sbg.retention(model, periods)) > 0).all()
    assert (np.diff(sbg.survival(model, periods)) < 0).all()
    lifetimes = sbg.residual_lifetime(model, periods, discount)
    assert (np.diff(lifetimes) > 0).all()
    assert lifetimes[-1] < (1 + discount) / discount


@tried
@given(st.floats(0.01, 0.9), st.floats(0.01, 0.5))
def test_a_constant_hazard_is_a_perpetuity(hazard: float, discount: float) -> None:
    # r/(1 − r/(1+d)), whatever the tenure.
    model = Fit.known("constant_hazard", hazard=hazard)
    lifetimes = sbg.residual_lifetime(model, [1, 30], discount)
    np.testing.assert_allclose(lifetimes, (1 - hazard) / (1 - (1 - hazard) / (1 + discount)))
    np.testing.assert_allclose(sbg.survival(model, [0, 2]), [1, (1 - hazard) ** 2])


def test_the_long_run_does_not_lose_digits() -> None:
    # 1,000 weeks on, at a weekly discount: between the perpetuities of today's retention and of 1.
    model = Fit.known("sbg", alpha=0.704, beta=1.182)
    weekly = 1.1 ** (1 / 52) - 1
    r = sbg.retention(model, 1000)[0]
    lifetime = sbg.residual_lifetime(model, 1000, weekly)[0]
    assert r / (1 - r / (1 + weekly)) < lifetime < (1 + weekly) / weekly


def test_counts_of_the_same_period_are_added_up() -> None:
    whole = sbg.fit([1, 2, 3], [1000, 700, 560], [300, 140, 80])
    parts = sbg.fit([3, 1, 2, 1, 2], [560, 400, 300, 600, 400], [80, 100, 60, 200, 80])
    assert parts["alpha"] == pytest.approx(whole["alpha"], rel=1e-6)


def test_a_thousandfold_cohort_has_the_same_parameters_and_a_thousandth_of_the_variance() -> None:
    small, large = cohort(REGULAR), cohort(tuple(1000 * s for s in REGULAR), 1_000_000)
    assert large["beta"] == pytest.approx(small["beta"], rel=1e-5)
    np.testing.assert_allclose(large.covariance, small.covariance / 1000, rtol=1e-4)


def test_a_small_segment_gets_the_constant_hazard_and_the_reason() -> None:
    found = sbg.fit([1, 2, 3], [50, 40, 30], [10, 10, 9])
    assert (found.method, found.converged) == ("constant_hazard", False)
    assert found.reason == ("50 customers where 100 are needed, 29 churned where 30 are needed")
    # Jeffreys: (29 + 1/2)/(120 + 1).
    assert found["hazard"] == pytest.approx(29.5 / 121)


@pytest.mark.parametrize(
    "survivors",
    [
        pytest.param((9000, 8100, 7290, 6561, 5905), id="customers who are all alike"),
        pytest.param((9900, 9600, 8800, 7000, 4000), id="churn that rises with tenure"),
        pytest.param((6000, 6000, 6000, 6000, 6000), id="churn in the first period only"),
    ],
)
def test_a_cohort_without_an_inner_maximum_gets_the_constant_hazard(
    survivors: tuple[int, ...],
) -> None:
    found = cohort(survivors, of=10_000)
    assert found.method == "constant_hazard"
    assert found.reason
    exposed = 10_000 + sum(survivors[:-1])
    assert found["hazard"] == pytest.approx((10_000 - survivors[-1] + 0.5) / (exposed + 1))


def test_nobody_at_all_is_a_small_segment() -> None:
    assert sbg.fit([], [], []).reason.startswith("0 customers where 100 are needed")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (([0], [10], [1]), "period is not a whole number from 1 up"),
        (([1.5], [10], [1]), "period is not a whole number from 1 up"),
        (([1], [10], [11]), "more customers churned than were at risk"),
        (([1], [10], [-1]), "churned is negative"),
    ],
)
def test_counts_that_cannot_be_are_refused(arrays: tuple[list[float], ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        sbg.fit(*arrays)


@pytest.mark.parametrize("discount", [0.0, -0.1, 10.0])
def test_an_undiscounted_lifetime_is_refused(discount: float) -> None:
    with pytest.raises(ValueError, match="discount = "):
        sbg.residual_lifetime(Fit.known("sbg", alpha=1.0, beta=1.0), 1, discount)


def test_known_customers_give_their_parameters_back_however_they_are_cut_off() -> None:
    # 40 draws of 3,000 customers, half of them seen from a later period on. The mean of 40
    # estimates has 1/√40 of one's standard error; 4 of those, and a bias of 1/n beside.
    rng = np.random.default_rng(20070221)
    fits = [sbg.fit(*simulate.contracts(rng, 3000, 10, late=True)) for _ in range(40)]
    for index, (name, truth) in enumerate(simulate.SBG.items()):
        estimates = np.array([found[name] for found in fits])
        error = np.mean([found.parameters[index].standard_error for found in fits])
        assert abs(estimates.mean() - truth) < 4 * error / math.sqrt(40) + 0.01 * truth
        # The spread of 40 is known to 1/√78 = 11 %: three of those.
        assert estimates.std(ddof=1) == pytest.approx(error, rel=0.34)
        covered = sum(f.parameters[index].lower < truth < f.parameters[index].upper for f in fits)
        # Of 40 at 95 %, 33 or fewer have a chance of 1 in 290.
        assert covered >= 34


def test_the_interval_of_a_lifetime_covers_the_true_one() -> None:
    rng = np.random.default_rng(20100101)
    truth = sbg.residual_lifetime(Fit.known("sbg", **simulate.SBG), 1, 0.10)[0]

    def lifetime(found: Fit) -> float:
        return float(sbg.residual_lifetime(found, 1, 0.10)[0])

    covered = 0
    for _ in range(40):
        found = quantity_interval(sbg.fit(*simulate.contracts(rng, 3000, 10)), lifetime)
        covered += found.lower < truth < found.upper
    assert covered >= 34
