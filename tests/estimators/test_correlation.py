"""The correlation coefficient and Fisher's interval."""

import math

import numpy as np
import pytest

from orchestration.estimators.correlation import correlation, effective_size


def test_the_interval_of_one_half_of_28_pairs_by_hand() -> None:
    # artanh .5 = .549306, its standard error 1 / sqrt(25) = .2, 1.959964 of them .391993:
    # tanh(.157313) = .156028 and tanh(.941299) = .735812.
    angle = np.linspace(0, 2 * np.pi, 28, endpoint=False)
    # In an order in which neither says what comes next.
    angle = np.random.default_rng(5).permutation(angle)
    one = np.cos(angle)
    other = 0.5 * np.cos(angle) + math.sqrt(0.75) * np.sin(angle)
    assert effective_size(one, other) == 28
    found = correlation(one, other)
    assert found.value == pytest.approx(0.5)
    assert (found.lower, found.upper) == (
        pytest.approx(0.156028, abs=1e-5),
        pytest.approx(0.735812, abs=1e-5),
    )


def test_a_wider_coverage_is_a_wider_interval() -> None:
    chance = np.random.default_rng(1)
    one, other = chance.normal(size=(2, 40))
    narrow, wide = correlation(one, other), correlation(one, other, 0.999)
    assert wide.lower < narrow.lower < narrow.upper < wide.upper


@pytest.mark.parametrize("values", [[1.0, 1, 1, 1, 1], [1.0, 2, 3]])
def test_what_never_varies_or_is_too_short_cannot_be_told(values: list[float]) -> None:
    one = np.array(values)
    assert math.isnan(correlation(one, np.arange(len(one), dtype=float)).value)


def test_two_of_the_same_are_at_one() -> None:
    one = np.arange(10.0)
    found = correlation(one, 2 * one + 3)
    assert found.value == pytest.approx(1)
    assert found.lower > 0.999


def test_series_that_follow_themselves_tell_as_much_as_fewer_pairs_by_hand() -> None:
    # Two up and two down for seven rounds, and the same a step later. Lags 1 to 5 (a fifth of 28):
    # autocorrelations 1/27, -1, -1/25, 1, 1/23 and -1/27, -1, 1/25, 1, -1/23; weighed by
    # (28 - k) / 28 their products add up to (50 - 1/27 - 1/25 - 1/23) / 28 = 1.781410.
    one, other = np.tile([1.0, 1, -1, -1], 7), np.tile([1.0, -1, -1, 1], 7)
    assert effective_size(one, other) == pytest.approx(28 / (1 + 2 * 1.781410), rel=1e-6)
    # Their correlation is 0, 1.959964 / sqrt(6.136556 - 3) = 1.106680, and tanh of it .802885.
    found = correlation(one, other)
    assert (found.value, found.upper) == (pytest.approx(0), pytest.approx(0.802885, abs=1e-5))
    assert found.n == 28


@pytest.mark.parametrize("kind", ["noise", "walks"])
def test_of_independent_series_one_interval_in_twenty_leaves_out_nothing(kind: str) -> None:
    # Changes over a year of weeks. Fisher's interval of 52 pairs left out 0 for one in ten pairs of
    # noise. Of 2,000 pairs 5 % are 100, give or take 10: three of those on either side.
    levels = np.random.default_rng(3).normal(size=(2, 2000, 53))
    changes = np.diff(levels if kind == "noise" else levels.cumsum(axis=2), axis=2)
    found = [correlation(one, other) for one, other in zip(*changes, strict=True)]
    wrong = sum(each.lower > 0 or each.upper < 0 for each in found)
    assert 70 <= wrong <= 130
