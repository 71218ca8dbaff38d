"""How sure a projected pace is, by hand and in draws."""

import numpy as np
import pytest
from scipy import stats

from orchestration.estimators.forecast import MOST_STEPS, project, recent_steps

RISING = np.array([True])


def test_steps_are_looked_at_backwards() -> None:
    # 1, 3, 6, 10, 15: the last steps of two are 9 and 5, and before them nothing is known.
    steps = recent_steps(np.array([1.0, 3, 6, 10, 15]), 2)
    assert steps.shape == (5, MOST_STEPS)
    assert steps[4][:3].tolist()[:2] == [9, 5]
    assert np.isnan(steps[4][2])
    assert np.isnan(steps[1]).all()


def test_the_interval_of_a_random_walk_with_drift() -> None:
    # Steps 1, 2, 3, 2: mean 2, variance (1+0+1+0)/3 = 2/3. Two to come after four: the variance of
    # the forecast is 2/3 * 2 * (1 + 2/4) = 2; t with 3 degrees of freedom: 3.1824 * 1.4142.
    found = project(
        np.array([12.0]),
        np.array([12.0]),
        RISING,
        np.array([[1.0, 2, 3, 2, np.nan]]),
        np.array([4.0]),
        np.array([2.0]),
    )
    half = 3.182446 * 2**0.5
    assert found.lower[0] == pytest.approx(12 - half, abs=1e-5)
    assert found.upper[0] == pytest.approx(12 + half, abs=1e-5)
    assert found.probability[0] == pytest.approx(0.5)


def test_a_falling_target_is_reached_from_above() -> None:
    arguments = (np.array([[-1.0, -2, -3, -2]]), np.array([4.0]), np.array([2.0]))
    low = project(np.array([8.0]), np.array([10.0]), np.array([False]), *arguments)
    high = project(np.array([8.0]), np.array([10.0]), np.array([True]), *arguments)
    expected = stats.t.cdf(2 / 2**0.5, 3)
    assert low.probability[0] == pytest.approx(expected)
    assert high.probability[0] == pytest.approx(1 - expected)


@pytest.mark.parametrize(("value", "probability"), [(10.0, 1.0), (9.99, 0.0)])
def test_at_the_end_the_forecast_is_what_it_is(value: float, probability: float) -> None:
    found = project(
        np.array([value]),
        np.array([10.0]),
        RISING,
        np.full((1, 3), np.nan),
        np.array([7.0]),
        np.array([0.0]),
    )
    assert (found.lower[0], found.upper[0]) == (value, value)
    assert found.probability[0] == probability


def test_fewer_than_four_steps_say_nothing() -> None:
    found = project(
        np.array([5.0]),
        np.array([5.0]),
        RISING,
        np.array([[1.0, 2, 3]]),
        np.array([3.0]),
        np.array([3.0]),
    )
    assert np.isnan([found.lower[0], found.upper[0], found.probability[0]]).all()


def test_the_interval_holds_the_end_of_most_walks() -> None:
    # Walks of 26 steps with a drift, looked at after 13.
    chance = np.random.default_rng(5)
    steps = chance.normal(1.0, 2.0, (2_000, 26))
    levels = np.cumsum(steps, axis=1)
    so_far = levels[:, 12]
    found = project(
        so_far * 2,
        np.zeros(2_000),
        np.ones(2_000, dtype=bool),
        steps[:, :13],
        np.full(2_000, 13.0),
        np.full(2_000, 13.0),
    )
    inside = (found.lower <= levels[:, 25]) & (levels[:, 25] <= found.upper)
    assert 0.935 <= inside.mean() <= 0.965
