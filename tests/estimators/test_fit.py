"""The optimiser on hills whose top is known, and what may be said about a fit."""

import math
from types import ModuleType

import numpy as np
import pytest

from orchestration.estimators import bg_nbd, fit, gamma_gamma, sbg
from orchestration.estimators.fit import Fit
from orchestration.estimators.inputs import Array
from tests.estimators import simulate

COVARIANCE = np.array([[0.04, 0.03], [0.03, 0.09]])
TOP = np.log([2.0, 30.0])


def hill(point: Array) -> tuple[float, Array]:
    """A parabola in the logarithms: its top at 2 and 30, its covariance the one above."""
    slope = -np.linalg.inv(COVARIANCE) @ (point - TOP)
    return float(slope @ (point - TOP) / 2), slope


def test_the_top_and_the_covariance_of_a_parabola_are_found() -> None:
    found = fit.maximise(hill, [(1.0, 1.0)], n=1)
    assert found.converged
    np.testing.assert_allclose(np.exp(found.point), [2, 30], rtol=1e-6)
    np.testing.assert_allclose(found.covariance, COVARIANCE, rtol=1e-6)


def test_the_highest_of_several_tops_wins() -> None:
    def two_tops(point: Array) -> tuple[float, Array]:
        x = point[0]
        # Tops near ln 1 and ln 100, the second by a tenth of the way between them higher.
        return float(-((x * (x - math.log(100))) ** 2) + 0.1 * x), np.array(
            [-2 * x * (x - math.log(100)) * (2 * x - math.log(100)) + 0.1]
        )

    found = fit.maximise(two_tops, [(1.0,), (50.0,)], n=1)
    assert found.converged
    assert np.exp(found.point)[0] == pytest.approx(100, rel=0.02)


def test_a_hill_that_never_ends_stops_at_the_bound_and_says_so() -> None:
    # exp(−1/x) climbs forever; the second parameter has its top at 3.
    def ridge(point: Array) -> tuple[float, Array]:
        x, y = point
        return (
            float(-math.exp(-x) - (y - math.log(3)) ** 2),
            np.array([math.exp(-x), -2 * (y - math.log(3))]),
        )

    found = fit.maximise(ridge, [(1.0, 1.0)], n=1e-9)
    result = fit.fitted("hill", ("x", "y"), found, 10)
    assert result.converged
    assert result["x"] == pytest.approx(fit.HIGHEST)
    assert result.reason == "x at the end of the range searched"
    assert math.isnan(result.parameters[0].standard_error)
    # Var ln y = 1/2 by the parabola's bend.
    assert result.parameters[1].standard_error == pytest.approx(3 * math.sqrt(0.5), rel=1e-4)


def test_a_saddle_is_no_maximum() -> None:
    def saddle(point: Array) -> tuple[float, Array]:
        return float(point[0] ** 2 - point[1] ** 2), np.array([2 * point[0], -2 * point[1]])

    # Started on the crest, where the gradient is zero.
    assert not fit.maximise(saddle, [(1.0, 1.0)], n=1).converged


def test_a_likelihood_that_knows_nothing_of_a_parameter_has_no_maximum() -> None:
    def flat(point: Array) -> tuple[float, Array]:
        return -float(point[0] ** 2), np.array([-2 * point[0], 0.0])

    assert not fit.maximise(flat, [(2.0, 1.0)], n=1).converged


def test_units_change_the_values_and_their_errors_alike() -> None:
    found = fit.maximise(hill, [(1.0, 1.0)], n=1)
    weeks = fit.fitted("hill", ("a", "b"), found, 10)
    days = fit.fitted("hill", ("a", "b"), found, 10, scale=np.array([7.0, 1.0]), shift=-3.0)
    assert days["a"] == pytest.approx(14)
    assert days.parameters[0].upper == pytest.approx(7 * weeks.parameters[0].upper)
    assert days.covariance[0, 1] == pytest.approx(7 * weeks.covariance[0, 1])
    assert days.log_likelihood == pytest.approx(weeks.log_likelihood - 3)


def test_an_interval_is_symmetric_in_the_logarithm() -> None:
    # ln a has standard error .2: 2·exp(±1.959964·.2) = 1.3514 and 2.9599.
    found = fit.fitted("hill", ("a", "b"), fit.maximise(hill, [(1.0, 1.0)], n=1), 10)
    a = found.parameters[0]
    assert (a.lower, a.upper) == pytest.approx((1.3514, 2.9599), abs=1e-4)


def test_the_interval_of_a_product_takes_the_covariance_in() -> None:
    # Var ln(ab) = .04 + .09 + 2·.03 = .19.
    found = fit.fitted("hill", ("a", "b"), fit.maximise(hill, [(1.0, 1.0)], n=1), 10)
    product = fit.quantity_interval(found, lambda f: f["a"] * f["b"])
    assert product.value == pytest.approx(60)
    assert product.standard_error == pytest.approx(60 * math.sqrt(0.19), rel=1e-5)
    assert product.upper == pytest.approx(60 * math.exp(1.959964 * math.sqrt(0.19)), rel=1e-5)


def test_given_parameters_have_no_interval() -> None:
    doubled = fit.quantity_interval(Fit.known("hill", a=2.0), lambda f: 2 * f["a"])
    assert doubled.value == 4
    assert math.isnan(doubled.upper)


def test_a_segment_keeps_its_own_fit_and_borrows_the_pool_only_where_it_has_none() -> None:
    own = fit.fitted("hill", ("a", "b"), fit.maximise(hill, [(1.0, 1.0)], n=1), 10)
    failed = fit.standing_in("slope", "5 customers where 100 are needed", 5, a=1.0)
    assert fit.pooled(own, failed) is own
    assert fit.pooled(failed, failed) is failed
    borrowed = fit.pooled(failed, own)
    assert (borrowed.method, borrowed.reason, borrowed.n) == ("pooled_hill", failed.reason, 5)
    assert borrowed.values == own.values


def test_the_quantile_of_a_level_is_the_tables() -> None:
    assert fit.normal_quantile(0.95) == pytest.approx(1.959964, abs=1e-6)
    with pytest.raises(ValueError, match="level = 95"):
        fit.normal_quantile(95)


@pytest.mark.parametrize("model", [sbg, bg_nbd, gamma_gamma])
def test_the_gradients_are_those_of_the_likelihoods(
    model: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Central differences of the log-likelihood that the model hands to the optimiser.
    handed: list[fit.Objective] = []

    def maximise(
        objective: fit.Objective, starts: list[tuple[float, ...]], n: float
    ) -> fit.Optimum:
        handed.append(objective)
        return fit.maximise(objective, starts, n)

    monkeypatch.setattr(model, "maximise", maximise)
    rng = np.random.default_rng(2006)
    made = simulate.purchases(rng, rng.uniform(0, 80, 1000))
    sample = {
        sbg: simulate.contracts(rng, 1000, 10, late=True),
        bg_nbd: (made.frequency, made.recency, made.age),
        gamma_gamma: simulate.spend(rng, 1000),
    }[model]
    count = len(model.fit(*sample).parameters)
    [objective] = handed
    for point in rng.normal(0, 1.5, (10, count)):
        steps = 1e-5 * np.eye(count)
        slopes = [(objective(point + s)[0] - objective(point - s)[0]) / 2e-5 for s in steps]
        np.testing.assert_allclose(objective(point)[1], slopes, rtol=1e-5, atol=1e-3)
