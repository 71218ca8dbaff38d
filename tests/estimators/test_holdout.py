"""How good a score is: worked examples, and what must hold for any."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.estimators import holdout
from tests.estimators.properties import tried

# Scores on a coarse grid, so that there are ties; churned of how many.
rows = st.lists(
    st.tuples(st.integers(1, 19), st.integers(0, 9), st.integers(1, 9)), min_size=2, max_size=25
).map(lambda drawn: np.array([(s / 20, min(lost, n), n) for s, lost, n in drawn]).T)


def test_a_table_worked_out_by_hand() -> None:
    # Churned score .8 and .4, stayed .6, .4 and .2. Of 6 pairs .8 wins 3, .4 wins 1 and ties 1:
    # 4.5/6. Brier: (.04 + .36 + .36 + .16 + .04)/5 = .192. Reference .4: .24; skill 1 − .8 = .2.
    chance, churned = [0.8, 0.4, 0.6, 0.4, 0.2], [1, 1, 0, 0, 0]
    assert holdout.auc(chance, churned) == pytest.approx(0.75)
    assert holdout.brier(chance, churned) == pytest.approx(0.192)
    assert holdout.brier_skill(chance, churned, reference=0.4) == pytest.approx(0.2)


def test_hanley_and_mcneils_radiologist_has_the_published_area() -> None:
    # Hanley & McNeil 1982, table 1: 109 images rated 1 to 5, area .893.
    normal, abnormal = np.array([33, 6, 6, 11, 2]), np.array([3, 2, 2, 11, 33])
    area = holdout.auc([0.1, 0.3, 0.5, 0.7, 0.9], abnormal, normal + abnormal)
    assert area == pytest.approx(0.893, abs=5e-4)


@tried
@given(rows)
def test_the_area_is_the_share_of_pairs_put_in_order(drawn: np.ndarray) -> None:
    chance, churned, count = drawn
    gone = np.repeat(chance, churned.astype(int))
    stayed = np.repeat(chance, (count - churned).astype(int))
    area = holdout.auc(chance, churned, count)
    if gone.size and stayed.size:
        above = (gone[:, None] > stayed).mean() + (gone[:, None] == stayed).mean() / 2
        assert area == pytest.approx(above)
        assert holdout.auc(1 - chance, churned, count) == pytest.approx(1 - area)
        assert holdout.auc(chance**3, churned, count) == pytest.approx(area)
    else:
        assert math.isnan(area)


@tried
@given(rows)
def test_saying_the_share_of_everybody_ranks_nothing_and_takes_nothing_away(
    drawn: np.ndarray,
) -> None:
    _, churned, count = drawn
    share = churned.sum() / count.sum()
    everybody = np.full(count.size, share)
    # p(1−p), the variance of the outcome.
    assert holdout.brier(everybody, churned, count) == pytest.approx(share * (1 - share))
    if 0 < share < 1:
        assert holdout.auc(everybody, churned, count) == pytest.approx(0.5)
        assert holdout.brier_skill(everybody, churned, share, count) == pytest.approx(0)


@tried
@given(rows)
def test_a_score_that_is_right_everywhere_is_on_the_line(drawn: np.ndarray) -> None:
    # Each row churns exactly as its score says, in counts that need not be whole.
    chance, _, count = drawn
    if np.ptp(chance) == 0:
        return
    measures = holdout.quality(chance, chance * count, 0.5, count)
    assert measures.expected == pytest.approx(measures.churned)
    assert measures.calibration_intercept == pytest.approx(0, abs=1e-5)
    assert measures.calibration_slope == pytest.approx(1, abs=1e-5)


def test_a_score_that_exaggerates_has_a_slope_below_one() -> None:
    # Said: odds 1:9 and 9:1; came true: 1:3 and 3:1. ln 3/ln 9 = 1/2.
    measures = holdout.quality([0.1, 0.9], [250, 750], 0.5, [1000, 1000])
    assert measures.calibration_slope == pytest.approx(0.5)
    assert measures.calibration_intercept == pytest.approx(0, abs=1e-9)
    assert (measures.n, measures.churned, measures.expected) == (2000, 1000, 1000)


@pytest.mark.parametrize(
    ("chance", "churned"),
    [
        pytest.param([0.2, 0.7], [0, 0], id="nobody churned"),
        pytest.param([0.2, 0.7], [1, 1], id="everybody churned"),
        pytest.param([0.4, 0.4], [0, 1], id="the score never varies"),
        pytest.param([0.2, 0.7], [0, 1], id="the score separates"),
    ],
)
def test_what_a_hold_out_cannot_tell_is_not_a_number(
    chance: list[float], churned: list[int]
) -> None:
    measures = holdout.quality(chance, churned, 0.3)
    assert math.isnan(measures.calibration_slope)
    assert math.isnan(measures.calibration_intercept)
    assert not math.isnan(measures.brier)


def test_nobody_measures_nothing() -> None:
    with pytest.raises(ValueError, match="nobody"):
        holdout.brier([0.5], [0], [0])


@pytest.mark.parametrize("chance", [0.0, 1.0, 1.5])
def test_a_certainty_is_no_score(chance: float) -> None:
    with pytest.raises(ValueError, match="chance is not between 0 and 1"):
        holdout.quality([chance, 0.5], [0, 1], 0.5)
