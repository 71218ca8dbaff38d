"""The correlation coefficient and Fisher's interval."""

import math

import numpy as np
import pytest

from orchestration.estimators.correlation import correlation


def test_the_interval_of_one_half_of_28_pairs_by_hand() -> None:
    # artanh .5 = .549306, its standard error 1 / sqrt(25) = .2, 1.959964 of them .391993:
    # tanh(.157313) = .156028 and tanh(.941299) = .735812.
    angle = np.linspace(0, 2 * np.pi, 28, endpoint=False)
    one = np.cos(angle)
    other = 0.5 * np.cos(angle) + math.sqrt(0.75) * np.sin(angle)
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
