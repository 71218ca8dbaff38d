"""Purchases without a contract: the published fit, and what must hold for any."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import hyp2f1, roots_jacobi

from orchestration.estimators import bg_nbd
from orchestration.estimators.fit import Fit
from tests.estimators import real, simulate
from tests.estimators.properties import tried

# Fader, Hardie & Lee 2005, table 2; the customer of their section on implementation.
CDNOW = Fit.known("bg_nbd", r=0.243, alpha=4.414, a=0.793, b=2.426)
CUSTOMER = (2, 30.43, 38.86)

shapes = st.floats(0.05, 12)
models = st.builds(
    lambda r, alpha, a, b: Fit.known("bg_nbd", r=r, alpha=alpha, a=a, b=b),
    shapes,
    st.floats(0.5, 60),
    shapes,
    shapes,
)
# x, t_x and T with 0 < t_x ≤ T.
customers = st.builds(
    lambda x, share, age: (x, age * share, age),
    st.integers(1, 80),
    st.floats(0.01, 1),
    st.floats(1, 300),
)


def test_the_published_customer_has_the_published_future() -> None:
    # Published as 1.226 purchases in the next 39 weeks; P(alive) of definitions §3.
    assert bg_nbd.expected_purchases(CDNOW, *CUSTOMER, 39)[0] == pytest.approx(1.226, abs=5e-4)
    assert bg_nbd.alive(CDNOW, *CUSTOMER)[0] == pytest.approx(0.7266, abs=5e-5)


def test_the_published_customer_is_worth_the_discounted_purchases_of_the_definition() -> None:
    # Definitions §3: 4.1002 over 260 weeks at 10 % with the parameters unrounded; rounding them
    # to three decimals, as here, moves it by a ten-thousandth.
    value = bg_nbd.discounted_purchases(CDNOW, *CUSTOMER, 260, 0.10)[0]
    assert value == pytest.approx(4.1002, abs=2e-4)


def test_the_chance_of_no_repeat_purchase_is_the_peers() -> None:
    # BTYD's manual, bgnbd.pmf with these parameters: P(0 purchases in 39 weeks) = .5737864.
    chance = math.exp(bg_nbd.log_likelihood(CDNOW, 0, 0, 39)[0])
    assert chance == pytest.approx(0.5737864, abs=5e-7)


def test_a_likelihood_worked_out_by_hand() -> None:
    # r = α = a = b = 1, x = 1, t_x = 1, T = 3: Γ(2)/Γ(1) · B(1,2)/B(1,1) · [4^−2 + (1/1)·2^−2]
    # = 1/2 · (1/16 + 1/4) = 5/32; odds of having stopped 1·(4/2)² = 4, P(alive) = 1/5.
    model = Fit.known("bg_nbd", r=1.0, alpha=1.0, a=1.0, b=1.0)
    assert math.exp(bg_nbd.log_likelihood(model, 1, 1, 3)[0]) == pytest.approx(5 / 32)
    assert bg_nbd.alive(model, 1, 1, 3)[0] == pytest.approx(1 / 5)


def test_without_a_repeat_purchase_everybody_is_alive() -> None:
    np.testing.assert_array_equal(bg_nbd.alive(CDNOW, 0, 0, [0, 10, 1000]), 1)


def test_cdnow_gives_its_published_parameters(real_data: Path) -> None:
    # Fader, Hardie & Lee 2005, table 2: r .243, α 4.414, a .793, b 2.426, LL −9,582.4.
    x, t_x, age, _, later = real.cdnow(real_data).T
    found = bg_nbd.fit(x, t_x, age)
    assert (found.method, found.reason, found.converged, found.n) == ("bg_nbd", "", True, 2357)
    for name, published in CDNOW.values.items():
        assert found[name] == pytest.approx(published, abs=5e-4)
    assert found.log_likelihood == pytest.approx(-9582.4, abs=0.05)
    # Definitions §3: the customer, and the hold-out: 1,653.4 expected, 1,882 came.
    assert bg_nbd.expected_purchases(found, *CUSTOMER, 39)[0] == pytest.approx(1.2259, abs=5e-5)
    assert bg_nbd.alive(found, *CUSTOMER)[0] == pytest.approx(0.7266, abs=5e-5)
    worth = bg_nbd.discounted_purchases(found, *CUSTOMER, 260, 0.10)[0]
    assert worth == pytest.approx(4.1002, abs=5e-5)
    total = bg_nbd.expected_purchases(found, x, t_x, age, 39).sum()
    assert total == pytest.approx(1653.4, abs=0.05)
    assert later.sum() == 1882


def test_customers_counted_together_are_customers_one_by_one(real_data: Path) -> None:
    x, t_x, age, *_ = real.cdnow(real_data).T
    rows, count = np.unique(np.column_stack([x, t_x, age]), axis=0, return_counts=True)
    assert len(rows) < 1500
    together = bg_nbd.fit(*rows.T, count)
    one_by_one = bg_nbd.fit(x, t_x, age)
    np.testing.assert_allclose(
        list(together.values.values()), list(one_by_one.values.values()), rtol=1e-6
    )
    np.testing.assert_allclose(together.covariance, one_by_one.covariance, rtol=1e-4)


@tried
@given(models, customers, st.floats(0.5, 200))
def test_expected_purchases_are_the_average_over_customers_rates_and_chances_to_stop(
    model: Fit, customer: tuple[float, ...], weeks: float
) -> None:
    # If alive, his rate is Gamma(r+x, α+T) and his chance to stop Beta(a, b+x); a rate λ and a
    # chance p buy (1 − e^(−λpt))/p (Fader, Hardie & Lee 2005, eq. 5). The first mean is closed.
    r, alpha, a, b = model.values.values()
    x, _, age = customer

    place, weight = roots_jacobi(150, b + x - 1, a - 1)
    p = (1 + place) / 2
    bought = -np.expm1(-(r + x) * np.log1p(p * weeks / (alpha + age))) / p
    mean = weight @ bought / weight.sum()
    expected = bg_nbd.expected_purchases_if_alive(model, x, age, weeks)[0]
    assert expected == pytest.approx(mean, rel=1e-8)


@tried
@given(st.integers(0, 25), st.floats(1, 150), st.floats(1, 150))
def test_expected_purchases_are_the_published_formula(x: int, age: float, weeks: float) -> None:
    # Eq. 10 as printed, whose ₂F₁ overflows for heavy buyers.
    r, alpha, a, b = CDNOW.values.values()
    z = weeks / (alpha + age + weeks)
    gauss = hyp2f1(r + x, b + x, a + b + x - 1, z) * ((alpha + age) / (alpha + age + weeks)) ** (
        r + x
    )
    printed = (a + b + x - 1) / (a - 1) * (1 - gauss)
    assert bg_nbd.expected_purchases_if_alive(CDNOW, x, age, weeks)[0] == pytest.approx(
        printed, rel=1e-7
    )


@tried
@given(models, customers)
def test_silence_makes_death_likelier_and_a_late_purchase_life(
    model: Fit, customer: tuple[float, ...]
) -> None:
    x, recency, age = customer
    silent = bg_nbd.alive(model, x, recency, age + np.array([0, 1, 10, 100]))
    assert (np.diff(silent) < 0).all()
    assert ((silent > 0) & (silent < 1)).all()
    recent = bg_nbd.alive(model, x, age * np.array([0.25, 0.5, 1]), age)
    assert (np.diff(recent) > 0).all()


@tried
@given(models, customers)
def test_purchases_add_up_over_time_and_never_exceed_those_of_one_who_stays(
    model: Fit, customer: tuple[float, ...]
) -> None:
    weeks = np.array([0, 1, 5, 25, 100, 500])
    expected = bg_nbd.expected_purchases(model, *customer, weeks)
    assert expected[0] == pytest.approx(0, abs=1e-9)
    assert (np.diff(expected) > 0).all()
    forever = (model["r"] + customer[0]) / (model["alpha"] + customer[2]) * weeks
    assert (expected <= forever * (1 + 1e-9)).all()


@pytest.mark.parametrize("a", [1.0, 1 - 1e-7, 1 + 1e-7, 1 - 2e-5, 1 + 2e-5])
def test_nothing_happens_where_the_formula_has_a_gap(a: float) -> None:
    # At a = 1 the formula reads 0/0; its neighbours at ±.001 enclose it.
    below, at, above = (
        bg_nbd.expected_purchases(
            Fit.known("bg_nbd", r=0.243, alpha=4.414, a=each, b=2.426), *CUSTOMER, 39
        )[0]
        for each in (a - 1e-3, a, a + 1e-3)
    )
    assert at == pytest.approx((below + above) / 2, rel=1e-6)


def test_nothing_happens_where_a_and_b_add_up_to_one() -> None:
    below, at, above = (
        bg_nbd.expected_purchases_if_alive(
            Fit.known("bg_nbd", r=0.3, alpha=5.0, a=0.4, b=b), 0, 10, 52
        )[0]
        for b in (0.599, 0.6, 0.601)
    )
    assert at == pytest.approx((below + above) / 2, rel=1e-4)


def test_the_heaviest_buyers_have_a_future_too() -> None:
    # 5,000 purchase days in 10 years, the last today: nearly surely alive, and one who stays
    # would buy (r + 5,000)/(α + 520) a week.
    x, age = 5000, 520.0
    assert bg_nbd.alive(CDNOW, x, age, age)[0] == pytest.approx(1, abs=1e-3)
    expected = bg_nbd.expected_purchases(CDNOW, x, age, age, 52)[0]
    stays = (0.243 + x) / (4.414 + age) * 52
    # With a chance of .793/5,003 to stop after each purchase some 4 % are lost on the way.
    assert 0.9 * stays < expected < stays


def test_discounted_purchases_are_the_sum_over_weeks() -> None:
    # Definitions §3, week by week, for customers from brand new to ten years old.
    x = np.array([0, 0, 0, 1, 2, 7, 40, 300])
    age = np.array([0, 1, 400, 3, 38.86, 100, 260, 520])
    delta = math.log(1.10) / 52
    weeks = np.arange(0, 521)
    for index in range(x.size):
        upto = bg_nbd.expected_purchases_if_alive(CDNOW, x[index], age[index], weeks)
        summed = np.diff(upto) @ np.exp(-delta * weeks[1:])
        quick = bg_nbd.discounted_purchases_if_alive(CDNOW, x[index], age[index], 520, 0.10)
        assert quick[0] == pytest.approx(summed, rel=1e-9)


@pytest.mark.parametrize("alpha", [0.01, 0.5, 50.0, 5000.0])
def test_discounted_purchases_are_the_sum_for_any_pace(alpha: float) -> None:
    model = Fit.known("bg_nbd", r=0.5, alpha=alpha, a=0.3, b=4.0)
    weeks = np.arange(0, 261)
    upto = bg_nbd.expected_purchases_if_alive(model, 3, 20, weeks)
    summed = np.diff(upto) @ np.exp(-math.log(1.2) / 52 * weeks[1:])
    quick = bg_nbd.discounted_purchases_if_alive(model, 3, 20, 260, 0.2)[0]
    assert quick == pytest.approx(summed, rel=1e-8)


@pytest.mark.parametrize("weeks", [1, 12, 13, 260])
def test_without_a_discount_the_discounted_purchases_are_the_purchases(weeks: int) -> None:
    undiscounted = bg_nbd.discounted_purchases(CDNOW, *CUSTOMER, weeks, 0)
    np.testing.assert_allclose(
        undiscounted, bg_nbd.expected_purchases(CDNOW, *CUSTOMER, weeks), rtol=1e-9
    )


def test_a_cohort_is_the_sum_of_its_customers() -> None:
    # E[X(t)] is what a customer of age 0 without a purchase is still expected to buy.
    each = bg_nbd.expected_purchases(CDNOW, 0, 0, 0, [10, 39])
    assert bg_nbd.cohort_purchases(CDNOW, [39, 10, 39], [1, 3, 1]) == pytest.approx(
        3 * each[0] + 2 * each[1]
    )


def test_too_few_customers_have_no_future_and_say_why() -> None:
    found = bg_nbd.fit([0, 1], [0, 1], [10, 10], [60, 29])
    assert (found.method, found.converged, found.parameters) == ("no_future", False, ())
    assert found.reason == (
        "89 customers where 100 are needed, 29 repeat customers where 30 are needed"
    )
    assert np.isnan(bg_nbd.expected_purchases(found, [0, 3], [0, 2], 9, 52)).all()
    assert np.isnan(bg_nbd.discounted_purchases(found, [0, 3], [0, 2], 9, 52, 0.1)).all()
    assert np.isnan(bg_nbd.alive(found, [0, 3], [0, 2], 9)).all()
    assert math.isnan(bg_nbd.cohort_purchases(found, 52))


def test_customers_who_never_stop_are_fitted_at_the_bound_and_said_to_be() -> None:
    # Everybody bought every week to the last: no trace of stopping.
    age = np.repeat(np.arange(10, 60), 10).astype(float)
    found = bg_nbd.fit(age, age, age)
    assert found.method == "bg_nbd"
    assert "at the end of the range searched" in found.reason
    np.testing.assert_allclose(bg_nbd.expected_purchases(found, 30, 30, 30, 10), 10, rtol=0.05)


@pytest.mark.parametrize(
    ("customer", "message"),
    [
        ((-1, 0, 5), "frequency is not a whole number from 0 up"),
        ((0.5, 1, 5), "frequency is not a whole number from 0 up"),
        ((1, 6, 5), "recency of a repeat customer is not between 0 and his age"),
        ((1, 0, 5), "recency of a repeat customer is not between 0 and his age"),
        ((0, 0, -1), "age is negative"),
    ],
)
def test_who_cannot_be_a_customer_is_refused(customer: tuple[float, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        bg_nbd.fit(*customer)
    with pytest.raises(ValueError, match=message):
        bg_nbd.alive(CDNOW, *customer)


@pytest.mark.parametrize(("weeks", "discount"), [(0, 0.1), (52, -0.1)])
def test_a_horizon_that_cannot_be_is_refused(weeks: int, discount: float) -> None:
    with pytest.raises(ValueError, match="cannot be summed"):
        bg_nbd.discounted_purchases(CDNOW, *CUSTOMER, weeks, discount)


def test_known_customers_give_their_parameters_back() -> None:
    # 24 draws of 4,000 customers seen for 27 to 78 weeks. a and b are skewed at this size: their
    # logarithms are compared, whose mean has 1/√24 of one's standard error; 4 of those, and a
    # bias of half a standard error, which vanishes with n (tests/bench/estimators.py).
    rng = np.random.default_rng(20050324)
    fits = []
    for _ in range(24):
        made = simulate.purchases(rng, rng.uniform(27, 78, 4000))
        fits.append(bg_nbd.fit(made.frequency, made.recency, made.age))
    for index, (name, truth) in enumerate(simulate.BG_NBD.items()):
        logs = np.log([found[name] for found in fits])
        errors = [f.parameters[index].standard_error / f[name] for f in fits]
        assert abs(logs.mean() - math.log(truth)) < (4 / math.sqrt(24) + 0.5) * np.mean(errors)
        covered = sum(f.parameters[index].lower < truth < f.parameters[index].upper for f in fits)
        # 19 of 24 or fewer have a chance of 1 in 170 at 95 %.
        assert covered >= 20
