"""Difference in differences against what can be worked out by hand, and in a thousand draws."""

import numpy as np
import pytest

from orchestration.estimators.difference_in_differences import Outcomes, contrast, estimate

DRAWS = 1_000


def cells(counts: dict[tuple[int, bool], tuple[int, int]]) -> Outcomes:
    """So many customers of each period and arm, and how many of them have the outcome.

    Every customer is in one period only.
    """
    period, arm, value = [], [], []
    for (when, is_treated), (size, have) in counts.items():
        period += [when] * size
        arm += [is_treated] * size
        value += [1.0] * have + [0.0] * (size - have)
    numbers = np.arange(len(value), dtype=np.int64)
    return Outcomes(numbers, np.array(period), np.array(arm), np.array(value))


def test_the_known_answer_of_the_definitions() -> None:
    # Definitions, section 8: .95 to .965 of 2,000 treated, .95 to .952 of 4,000 in the control.
    found = estimate(
        cells(
            {
                (-1, True): (2_000, 1_900),
                (0, True): (2_000, 1_930),
                (-1, False): (4_000, 3_800),
                (0, False): (4_000, 3_808),
            }
        )
    )
    assert found.effect.value == pytest.approx(0.0130, abs=5e-5)
    assert found.effect.standard_error == pytest.approx(0.0080, abs=5e-5)
    assert found.effect.lower == pytest.approx(-0.0027, abs=5e-5)
    assert found.effect.upper == pytest.approx(0.0287, abs=5e-5)
    assert not found.is_shown


def test_one_period_before_is_too_few_to_believe_even_a_large_effect() -> None:
    large = {(-1, True): (500, 100), (0, True): (500, 400)}
    control = {(-1, False): (500, 100), (0, False): (500, 100)}
    found = estimate(cells({**large, **control}))
    assert found.effect.lower > 0
    assert found.reason == "1 whole periods before it are known; it takes 2"


def test_errors_are_clustered_by_customer() -> None:
    # Two treated (a, b) and two of the control (c, d), before and after. Means: treated 1 to 3,
    # control 1 to 1, so the effect is 2. Each cell has two outcomes: weights are 1/2. Scores, by
    # hand: a = (4-3)/2 - (2-1)/2 = 0, b = (2-3)/2 - (0-1)/2 = 0, c = -(2-1)/2 + (0-1)/2 = -1,
    # d = -(0-1)/2 + (2-1)/2 = 1. Variance = (0+0+1+1) * 4/3 = 8/3.
    outcomes = Outcomes(
        np.array([1, 2, 3, 4, 1, 2, 3, 4]),
        np.array([-1, -1, -1, -1, 0, 0, 0, 0]),
        np.array([True, True, False, False] * 2),
        np.array([2.0, 0, 0, 2, 4, 2, 2, 0]),
    )
    found = contrast(outcomes, {0: 1.0, -1: -1.0})
    assert found.value == pytest.approx(2.0)
    assert found.standard_error == pytest.approx((8 / 3) ** 0.5)


def test_every_period_counts_alike_whatever_becomes_of_the_numbers() -> None:
    # Gaps before: 0 and 0; after: .2 (10 and 10 customers) and .4 (1,000 and 1,000): their mean is
    # .3, while pooling the customers would say .398.
    found = estimate(
        cells(
            {
                (-2, True): (10, 5),
                (-2, False): (10, 5),
                (-1, True): (10, 5),
                (-1, False): (10, 5),
                (0, True): (10, 7),
                (0, False): (10, 5),
                (1, True): (1_000, 900),
                (1, False): (1_000, 500),
            }
        )
    )
    assert found.effect.value == pytest.approx(0.3)
    assert (found.before, found.after) == (2, 2)


def test_a_period_without_one_of_the_groups_does_not_count() -> None:
    both = {(-1, True): (60, 30), (-1, False): (60, 30), (0, True): (60, 30), (0, False): (60, 30)}
    found = estimate(cells({**both, (1, False): (60, 0)}))
    assert (found.effect.value, found.after) == (0, 1)
    # The 60 of that period are compared with nobody.
    assert found.control_customers == 120


def test_who_has_outcomes_is_counted_even_where_there_is_nobody_to_compare_with() -> None:
    found = estimate(cells({(-1, True): (70, 30), (0, True): (50, 30)}))
    assert (found.treated_customers, found.control_customers) == (120, 0)
    assert found.reason == (
        "120 treated and 0 control customers have outcomes; it takes 50 of each"
    )


def test_two_groups_that_never_meet_are_not_compared() -> None:
    found = estimate(cells({(-1, True): (70, 30), (0, False): (60, 30)}))
    assert (found.treated_customers, found.control_customers) == (70, 60)
    assert found.reason == "no whole period has outcomes of both groups"
    assert (found.before, found.after, found.is_shown) == (0, 0, False)


def test_only_who_is_compared_makes_enough_customers() -> None:
    # 60 of the control, but 10 of them in a period that the treated have too.
    found = estimate(cells({(0, True): (60, 30), (0, False): (10, 5), (1, False): (50, 5)}))
    assert found.reason == "60 treated and 10 control customers have outcomes; it takes 50 of each"


def drawn(
    chance: np.random.Generator,
    effect: float,
    *,
    drift: float = 0.0,
    customers: int = 300,
    periods: tuple[int, ...] = (-4, -3, -2, -1, 0, 1, 2),
) -> Outcomes:
    """Customers who differ, days that are the same for all, and an effect on every second one."""
    own = chance.normal(0, 1, customers)
    times = chance.normal(0, 0.5, len(periods))
    is_treated = np.arange(customers) % 2 == 0
    when = np.repeat(periods, customers)
    noise = chance.normal(0, 1, (len(periods), customers))
    # What happens to a customer lasts: errors of one period are half those of the one before.
    for row in range(1, len(periods)):
        noise[row] = 0.5 * noise[row - 1] + np.sqrt(0.75) * noise[row]
    value = own + times[:, None] + noise
    value += effect * np.outer(np.array(periods) >= 0, is_treated)
    value += drift * np.outer(np.array(periods), is_treated)
    return Outcomes(
        np.tile(np.arange(customers), len(periods)),
        when,
        np.tile(is_treated, len(periods)),
        value.ravel(),
    )


def test_no_effect_is_shown_in_at_most_six_of_a_hundred_draws() -> None:
    chance = np.random.default_rng(1)
    shown = sum(estimate(drawn(chance, 0.0)).is_shown for _ in range(DRAWS))
    assert shown / DRAWS <= 0.06


def test_a_planted_effect_lies_inside_its_interval_in_at_least_ninety_three_of_a_hundred() -> None:
    chance = np.random.default_rng(2)
    found = [estimate(drawn(chance, 0.4)) for _ in range(DRAWS)]
    inside = sum(each.effect.lower <= 0.4 <= each.effect.upper for each in found)
    assert inside / DRAWS >= 0.93
    # And it is one that can be seen: most draws show it.
    assert sum(each.is_shown for each in found) / DRAWS > 0.75


def test_groups_that_drift_apart_anyway_are_not_taken_for_an_effect() -> None:
    chance = np.random.default_rng(3)
    found = [estimate(drawn(chance, 0.0, drift=0.3)) for _ in range(200)]
    assert sum(each.effect.lower > 0 for each in found) > 190
    assert sum(each.is_shown for each in found) / len(found) < 0.06
    reasons = {each.reason for each in found}
    assert "the groups had already been drifting apart before it started" in reasons


def test_too_few_customers_show_nothing() -> None:
    found = estimate(drawn(np.random.default_rng(4), 5.0, customers=60))
    assert found.reason == "30 treated and 30 control customers have outcomes; it takes 50 of each"


def test_without_outcomes_nothing_can_be_said() -> None:
    none = np.array([], dtype=np.int64)
    found = estimate(Outcomes(none, none, none.astype(bool), none.astype(float)))
    assert not found.is_shown
    assert np.isnan(found.effect.value)
