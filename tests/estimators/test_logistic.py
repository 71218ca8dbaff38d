"""Churn scores: worked examples, and what must hold for any."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit

from orchestration.estimators import logistic
from orchestration.estimators.inputs import Array
from tests.estimators import simulate
from tests.estimators.properties import tried

NAMES = tuple(simulate.LOGISTIC)[1:]

seeds = st.integers(0, 10**6)


def drawn(seed: int, n: int = 2000) -> tuple[Array, Array, Array]:
    return simulate.churners(np.random.default_rng(seed), n)


def test_a_yes_or_no_is_the_log_odds_ratio_of_its_table() -> None:
    # 4,000 of 10,000 sleepers churned, 1,000 of 10,000 others: log-odds of the others
    # ln(1/9) = −2.197225, ln of the odds ratio (4/6)/(1/9) = 6: 1.791759; its standard error
    # √(1/4000 + 1/6000 + 1/1000 + 1/9000) = .039087. The prior takes off a thousandth.
    score = logistic.fit(["is_sleeper"], [[1.0], [0.0]], [4000, 1000], [10_000, 10_000])
    assert score["intercept"] == pytest.approx(-2.197225, abs=2e-3)
    assert score["is_sleeper"] == pytest.approx(1.791759, abs=2e-3)
    assert score.parameters[1].standard_error == pytest.approx(0.039087, rel=1e-3)


def test_the_line_through_challengers_o_rings_is_the_published_one() -> None:
    # Distress of O-rings against temperature on 23 flights (Dalal, Fowlkes & Hoadley, JASA 84,
    # 1989): log-odds 15.0429 − .2322·°F. Tenths of a degree keep the probabilities inside (0, 1).
    damaged = [53, 57, 58, 63, 70, 70, 75]
    sound = [66, 67, 67, 67, 68, 69, 70, 70, 72, 73, 75, 76, 76, 78, 79, 81]
    outcome = [1] * len(damaged) + [0] * len(sound)
    chance = expit(np.array(damaged + sound) / 10)
    intercept, slope, is_line = logistic.calibration_line(chance, outcome)
    assert is_line
    assert intercept.value == pytest.approx(15.0429, abs=5e-5)
    assert slope.value / 10 == pytest.approx(-0.2322, abs=5e-5)


def test_a_prior_draws_the_coefficient_to_the_maximum_of_the_penalised_likelihood() -> None:
    # One covariate ±1 (deviation 1), 30 of 40 and 10 of 40: the intercept is 0 by symmetry, and
    # the coefficient solves 20 − 80·(1/(1+e^−b) − 1/2) = b/2.5², found by bisection.
    score = logistic.fit(["side"], [[1.0], [-1.0]], [30, 10], [40, 40])
    low, high = 0.0, 3.0
    for _ in range(60):
        middle = (low + high) / 2
        climbs = 20 - 80 * (expit(middle) - 0.5) - middle / 6.25 > 0
        low, high = (middle, high) if climbs else (low, middle)
    assert score["intercept"] == pytest.approx(0, abs=1e-9)
    assert score["side"] == pytest.approx(low, abs=1e-9)
    # ln 3 = 1.0986 without the prior; with it some 1 % less.
    assert 0.98 * math.log(3) < score["side"] < math.log(3)


@tried
@given(seeds)
def test_the_scores_add_up_to_those_who_churned(seed: int) -> None:
    rows, churned, count = drawn(seed)
    score = logistic.fit(NAMES, rows, churned, count)
    assert score.converged
    assert count @ logistic.probability(score, rows) == pytest.approx(churned.sum(), rel=1e-6)


@tried
@given(seeds, st.floats(0.01, 100), st.floats(-50, 50))
def test_the_unit_of_a_covariate_does_not_matter(seed: int, unit: float, origin: float) -> None:
    rows, churned, count = drawn(seed)
    other = rows * [unit, 1, 1] + [origin, 0, 0]
    score, same = (logistic.fit(NAMES, each, churned, count) for each in (rows, other))
    np.testing.assert_allclose(
        logistic.probability(same, other), logistic.probability(score, rows), rtol=1e-6
    )
    assert same["price"] * unit == pytest.approx(score["price"], rel=1e-6)
    assert same.parameters[1].standard_error * unit == pytest.approx(
        score.parameters[1].standard_error, rel=1e-6
    )


def test_where_the_search_sets_out_does_not_change_what_it_finds() -> None:
    rows, churned, count = drawn(6)
    others = logistic.fit(NAMES, rows[500:], churned[500:], count[500:])
    found = logistic.fit(NAMES, rows, churned, count, start=others)
    for parameter in logistic.fit(NAMES, rows, churned, count).parameters:
        assert found[parameter.name] == pytest.approx(parameter.value, rel=1e-9)


def test_customers_counted_together_are_customers_one_by_one() -> None:
    rows, churned, count = drawn(1, 600)
    together = logistic.fit(NAMES, rows, churned, count)
    each = np.repeat(rows, count.astype(int), axis=0)
    outcome = np.concatenate([np.arange(n) < lost for lost, n in zip(churned, count, strict=True)])
    one_by_one = logistic.fit(NAMES, each, outcome)
    np.testing.assert_allclose(
        list(together.values.values()), list(one_by_one.values.values()), rtol=1e-8
    )
    assert together.log_likelihood == pytest.approx(one_by_one.log_likelihood)


def test_covariates_that_separate_or_repeat_each_other_have_finite_coefficients() -> None:
    rows = np.array([[1.0, 2.0], [0.0, 0.0]])
    score = logistic.fit(["left", "twice_left"], rows, [500, 0], [500, 500])
    assert score.converged
    # The prior shares the effect between the two equally, a deviation each.
    assert score["left"] == pytest.approx(2 * score["twice_left"])
    assert logistic.probability(score, rows)[0] > 0.99


def test_a_covariate_that_never_varies_adds_nothing_and_is_named() -> None:
    rows, churned, count = drawn(2)
    more = np.column_stack([rows, np.full(len(rows), 7.0)])
    score = logistic.fit((*NAMES, "country"), more, churned, count)
    assert score["country"] == 0
    assert score.reason == "country never varies"
    without = logistic.fit(NAMES, rows, churned, count)
    assert score["price"] == pytest.approx(without["price"])


def test_what_covariates_add_is_measured_from_the_mean_customer() -> None:
    rows, churned, count = drawn(3)
    score = logistic.fit(NAMES, rows, churned, count)
    np.testing.assert_allclose(score.means, count @ rows / count.sum())
    parts = score.coefficients * (rows - score.means)
    np.testing.assert_allclose(
        logit(logistic.probability(score, rows)),
        score["intercept"] + score.coefficients @ score.means + parts.sum(axis=1),
    )


def test_too_few_churned_give_everybody_the_share_that_churned() -> None:
    score = logistic.fit(["price", "age"], [[1, 5], [2, 3]], [10, 9], [500, 500])
    assert (score.method, score.converged) == ("base_rate", False)
    assert score.reason == "19 churned or stayed where 20 are needed"
    # (19 + 1/2)/(1,000 + 1).
    np.testing.assert_allclose(logistic.probability(score, [[1, 5], [9, 9]]), 19.5 / 1001)


def test_nobody_at_all_is_too_few() -> None:
    score = logistic.fit(["price"], np.empty((0, 1)), [], [])
    assert score.method == "base_rate"


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ((["a"], [[1, 2]], [1]), "1 names and covariates of shape"),
        ((["a", "a"], [[1, 2]], [1]), "each name once"),
        ((["intercept"], [[1]], [1]), "each name once"),
        ((["a"], [[math.nan]], [1]), "a is null or infinite"),
        ((["a"], [[1], [2]], [1, 0, 1]), "2 rows of covariates for 3"),
        ((["a"], [[1]], [2]), "more churned than there were"),
    ],
)
def test_shapes_and_counts_that_cannot_be_are_refused(arrays: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        logistic.fit(*arrays)


@tried
@given(seeds, st.floats(-2, 2), st.floats(0.3, 3))
def test_a_score_put_off_its_line_is_brought_back_by_it(
    seed: int, intercept: float, slope: float
) -> None:
    # Log-odds on any line come back to the line of the score itself.
    rows, churned, count = drawn(seed)
    score = logistic.fit(NAMES, rows, churned, count)
    off = logistic.recalibrated(score, intercept, slope)
    assert off.method == "logistic_recalibrated"
    fitted = logistic.calibration_line(logistic.probability(score, rows), churned, count)
    again = logistic.calibration_line(logistic.probability(off, rows), churned, count)
    assert again[2]
    assert again[1].value * slope == pytest.approx(fitted[1].value, rel=1e-5)
    back = logistic.recalibrated(off, again[0].value, again[1].value)
    right = logistic.recalibrated(score, fitted[0].value, fitted[1].value)
    np.testing.assert_allclose(
        logistic.probability(back, rows), logistic.probability(right, rows), rtol=1e-5
    )


def test_a_line_that_turns_the_ranking_round_is_refused() -> None:
    rows, churned, count = drawn(4)
    score = logistic.fit(NAMES, rows, churned, count)
    with pytest.raises(ValueError, match="turn the ranking round"):
        logistic.recalibrated(score, 0.0, -0.5)


def test_known_customers_give_their_coefficients_back() -> None:
    # 60 draws of 5,000: the mean of the estimates has 1/√60 of one's standard error; 4 of those.
    # The prior moves a coefficient by its size × (standard error/2.5)², here under a thousandth.
    rng = np.random.default_rng(1989)
    fits = [logistic.fit(NAMES, *simulate.churners(rng, 5000)) for _ in range(60)]
    for index, (name, truth) in enumerate(simulate.LOGISTIC.items()):
        estimates = np.array([found[name] for found in fits])
        error = np.mean([found.parameters[index].standard_error for found in fits])
        assert abs(estimates.mean() - truth) < 4 * error / math.sqrt(60) + 1e-3 * abs(truth)
        covered = sum(f.parameters[index].lower < truth < f.parameters[index].upper for f in fits)
        # Of 60 at 95 %, 51 or fewer have a chance of 1 in 700.
        assert covered >= 52
