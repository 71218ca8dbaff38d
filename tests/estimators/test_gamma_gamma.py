"""What a purchase is worth: the published fit, and what must hold for any."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import gamma

from orchestration.estimators import gamma_gamma
from orchestration.estimators.fit import Fit
from tests.estimators import real, simulate
from tests.estimators.properties import tried

# Fader & Hardie 2013; Fader, Hardie & Lee 2005.
CDNOW = Fit.known("gamma_gamma", p=6.25, q=3.74, gamma=15.44)

models = st.builds(
    lambda p, q, g: Fit.known("gamma_gamma", p=p, q=q, gamma=g),
    st.floats(0.2, 30),
    st.floats(1.05, 20),
    st.floats(0.1, 1000),
)


def test_a_single_purchase_of_twenty_is_drawn_towards_the_mean() -> None:
    # 6.25·(15.44 + 20)/(6.25 + 3.74 − 1) = 221.5/8.99 = 24.6385; definitions §3 has 24.63, from
    # parameters that are not rounded.
    assert gamma_gamma.expected_mean(CDNOW, 1, 20)[0] == pytest.approx(24.6385, abs=5e-5)


def test_cdnow_gives_its_published_parameters(real_data: Path) -> None:
    # 946 repeat customers: p 6.25, q 3.74, γ 15.44.
    x, _, _, mean, _ = real.cdnow(real_data).T
    again = x > 0
    assert again.sum() == 946
    paid = again & (mean > 0)
    found = gamma_gamma.fit(x[paid], mean[paid])
    assert (found.method, found.reason, found.converged) == ("gamma_gamma", "", True)
    assert found["p"] == pytest.approx(6.25, abs=5e-3)
    assert found["q"] == pytest.approx(3.74, abs=5e-3)
    assert found["gamma"] == pytest.approx(15.44, abs=5e-3)
    assert abs(gamma_gamma.correlation(x[paid], mean[paid])) < 0.2
    # Definitions §3: a purchase of 20 is expected to become 24.63.
    assert gamma_gamma.expected_mean(found, 1, 20)[0] == pytest.approx(24.63, abs=5e-3)


def test_the_likelihood_is_that_of_gamma_spend_with_gamma_scales() -> None:
    # One customer's density by its definition: z̄ | ν ~ Gamma(px, νx), ν ~ Gamma(q, γ); and the
    # fit's log-likelihood is the sum over customers, whatever the currency.
    rng = np.random.default_rng(3)
    x, mean = simulate.spend(rng, 60)
    mean *= 100
    found = gamma_gamma.fit(x, mean)
    assert found.method == "gamma_gamma"
    p, q, scale = found.values.values()

    def density(frequency: float, z: float) -> float:
        # Where the scales of such a customer lie; outside there is nothing to add up.
        ends = gamma.ppf([1e-13, 1 - 1e-13], p * frequency + q, scale=1 / (scale + frequency * z))
        return quad(
            lambda nu: (
                gamma.pdf(z, p * frequency, scale=1 / (nu * frequency))
                * gamma.pdf(nu, q, scale=1 / scale)
            ),
            *ends,
        )[0]

    total = sum(math.log(density(f, z)) for f, z in zip(x, mean, strict=True))
    assert found.log_likelihood == pytest.approx(total, rel=1e-6)


@tried
@given(models, st.integers(1, 200), st.floats(0.01, 5000))
def test_a_customer_is_drawn_from_his_mean_towards_everybodys(
    model: Fit, x: int, mean: float
) -> None:
    everybody = model["p"] * model["gamma"] / (model["q"] - 1)
    expected = gamma_gamma.expected_mean(model, x, mean)[0]
    low, high = sorted((everybody, mean))
    assert low * (1 - 1e-9) <= expected <= high * (1 + 1e-9)
    # The more purchases, the nearer to his own.
    more = gamma_gamma.expected_mean(model, x + 10, mean)[0]
    assert abs(more - mean) <= abs(expected - mean) + 1e-9 * mean


def test_who_has_no_repeat_purchase_is_expected_to_spend_what_everybody_does() -> None:
    # pγ/(q−1) = 6.25·15.44/2.74 = 35.2190.
    assert gamma_gamma.expected_mean(CDNOW, 0, 0)[0] == pytest.approx(35.2190, abs=5e-5)


def test_another_currency_changes_gamma_only() -> None:
    x, mean = simulate.spend(np.random.default_rng(5), 500)
    euros, cents = gamma_gamma.fit(x, mean), gamma_gamma.fit(x, 100 * mean)
    assert cents["p"] == pytest.approx(euros["p"], rel=1e-5)
    assert cents["gamma"] == pytest.approx(100 * euros["gamma"], rel=1e-5)
    np.testing.assert_allclose(
        gamma_gamma.expected_mean(cents, x, 100 * mean),
        100 * gamma_gamma.expected_mean(euros, x, mean),
        rtol=1e-6,
    )


def test_customers_counted_together_are_customers_one_by_one() -> None:
    x, mean = simulate.spend(np.random.default_rng(7), 400)
    together = gamma_gamma.fit(x, mean, 3)
    one_by_one = gamma_gamma.fit(np.tile(x, 3), np.tile(mean, 3))
    assert together["q"] == pytest.approx(one_by_one["q"], rel=1e-5)
    assert together.n == one_by_one.n == 1200


def test_too_few_customers_get_the_average_purchase() -> None:
    found = gamma_gamma.fit([1, 3], [10, 30], [20, 9])
    assert (found.method, found.converged) == ("cohort_mean", False)
    assert found.reason == "29 repeat customers where 30 are needed"
    # (20·1·10 + 9·3·30)/(20 + 27) = 1010/47.
    np.testing.assert_allclose(gamma_gamma.expected_mean(found, [0, 5], [0, 99]), 1010 / 47)


def test_spend_that_goes_with_frequency_gets_the_average_purchase() -> None:
    found = gamma_gamma.fit([1, 2], [10, 30], [50, 50])
    assert (found.method, found.reason) == (
        "cohort_mean",
        "frequency and spend correlate: r = 1.00",
    )


def test_means_without_a_finite_mean_get_the_average_purchase() -> None:
    # Spend over nine orders of magnitude: a tail whose mean is not finite.
    rng = np.random.default_rng(11)
    x = 1.0 + rng.geometric(0.5, 800)
    found = gamma_gamma.fit(x, np.exp(rng.uniform(-10, 10, 800)))
    assert found.method == "cohort_mean"
    assert found.reason.startswith("q = ")


def test_everybody_alike_correlates_with_nothing() -> None:
    assert gamma_gamma.correlation([1, 2, 3], [7, 7, 7]) == 0


@pytest.mark.parametrize(
    ("customer", "message"),
    [
        ((0, 10), "frequency is not a whole number from 1 up"),
        ((1, 0), "mean value is not above 0"),
    ],
)
def test_who_has_no_repeat_spend_is_refused(customer: tuple[float, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        gamma_gamma.fit(*customer)


def test_known_customers_give_their_parameters_back() -> None:
    # 30 draws of 2,000: the mean of their logarithms has 1/√30 of one's standard error; 4 of
    # those, and a bias of .3 of a standard error, which vanishes with n.
    rng = np.random.default_rng(20051100)
    fits = [gamma_gamma.fit(*simulate.spend(rng, 2000)) for _ in range(30)]
    for index, (name, truth) in enumerate(simulate.GAMMA_GAMMA.items()):
        logs = np.log([found[name] for found in fits])
        errors = [f.parameters[index].standard_error / f[name] for f in fits]
        assert abs(logs.mean() - math.log(truth)) < (4 / math.sqrt(30) + 0.3) * np.mean(errors)
        covered = sum(f.parameters[index].lower < truth < f.parameters[index].upper for f in fits)
        # 24 of 30 or fewer have a chance of 1 in 300 at 95 %.
        assert covered >= 25
