"""Risk ratios: worked examples, and what must hold for any table."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from orchestration.estimators import risk_ratio
from orchestration.estimators.risk_ratio import Ratio
from tests.estimators.properties import tried

# Cases and customers of a group, at least one a case and one not.
group = st.integers(2, 5000).flatmap(lambda n: st.tuples(st.integers(1, n - 1), st.just(n)))


def test_the_worked_example_has_its_ratio_and_interval() -> None:
    # Definitions §7: 120/2,000 against 100/10,000.
    ratio = risk_ratio.risk_ratio(120, 2000, 100, 10_000)
    assert ratio.method == "risk_ratio"
    assert ratio.estimate == pytest.approx(6.0)
    assert (ratio.lower, ratio.upper) == pytest.approx((4.622, 7.789), abs=5e-4)
    assert ratio.n == 12_000


def test_the_worked_example_would_take_its_common_cause() -> None:
    # Definitions §7: 11.48. Of the limit 4.622: 4.622 + √(4.622·3.622) = 8.714.
    ratio = risk_ratio.risk_ratio(120, 2000, 100, 10_000)
    assert risk_ratio.e_value(ratio.estimate) == pytest.approx(11.48, abs=5e-3)
    assert risk_ratio.e_value_of_limit(ratio) == pytest.approx(8.714, abs=5e-3)


def test_the_published_common_cause_of_formula_feeding_is_found() -> None:
    # VanderWeele & Ding 2017: RR 3.9 (1.8 to 8.7) → E-value 7.2, of the limit 3.0.
    published = Ratio("published", "", 3.9, 1.8, 8.7, math.nan, math.nan)
    assert risk_ratio.e_value(published.estimate) == pytest.approx(7.2, abs=0.1)
    assert risk_ratio.e_value_of_limit(published) == pytest.approx(3.0, abs=0.05)


def test_the_worked_strata_have_their_ratio_and_interval() -> None:
    # Definitions §7: (30/100, 80/400), (6/300, 10/1,000) → 1.563 (1.115 to 2.192), crude 1.40.
    ratio = risk_ratio.mantel_haenszel([30, 6], [100, 300], [80, 10], [400, 1000])
    assert ratio.estimate == pytest.approx(1.563, abs=5e-4)
    assert (ratio.lower, ratio.upper) == pytest.approx((1.115, 2.192), abs=5e-4)
    assert risk_ratio.risk_ratio(36, 400, 90, 1400).estimate == pytest.approx(1.40, abs=5e-4)


def test_the_diabetes_trials_pooled_ratio_is_the_textbooks() -> None:
    # University Group Diabetes Program, deaths with tolbutamide and with placebo, under 55 years
    # and older (Rothman, Epidemiology: An Introduction, 2002, ch. 8): crude 1.44, pooled 1.33.
    deaths, treated = np.array([8, 22]), np.array([106, 98])
    others, untreated = np.array([5, 16]), np.array([120, 85])
    crude = risk_ratio.risk_ratio(deaths.sum(), treated.sum(), others.sum(), untreated.sum())
    assert crude.estimate == pytest.approx(1.44, abs=5e-3)
    pooled = risk_ratio.mantel_haenszel(deaths, treated, others, untreated)
    assert pooled.estimate == pytest.approx(1.33, abs=5e-3)


@tried
@given(group, group)
def test_swapping_the_groups_inverts_the_ratio(
    one: tuple[int, int], other: tuple[int, int]
) -> None:
    there, back = risk_ratio.risk_ratio(*one, *other), risk_ratio.risk_ratio(*other, *one)
    assert there.estimate * back.estimate == pytest.approx(1)
    assert there.lower * back.upper == pytest.approx(1)
    assert risk_ratio.e_value(there.estimate) == pytest.approx(risk_ratio.e_value(back.estimate))


@tried
@given(group, group)
def test_a_single_stratum_is_no_stratum(one: tuple[int, int], other: tuple[int, int]) -> None:
    # Greenland & Robins's variance of one stratum is 1/a − 1/n1 + 1/c − 1/n0.
    crude = risk_ratio.risk_ratio(*one, *other)
    stratified = risk_ratio.mantel_haenszel(*one, *other)
    assert stratified.estimate == pytest.approx(crude.estimate)
    assert stratified.log_error == pytest.approx(crude.log_error, abs=1e-9)


@tried
@given(group, group, st.integers(2, 9))
def test_a_stratum_cut_in_equal_parts_gives_the_same_ratio(
    one: tuple[int, int], other: tuple[int, int], parts: int
) -> None:
    cut = [[number / parts] * parts for number in (*one, *other)]
    whole = risk_ratio.mantel_haenszel(*one, *other)
    assert risk_ratio.mantel_haenszel(*cut).estimate == pytest.approx(whole.estimate)


def test_a_group_without_a_case_gets_half_a_case_and_says_so() -> None:
    # (10.5/100.5)/(.5/100.5) = 21.
    ratio = risk_ratio.risk_ratio(10, 100, 0, 100)
    assert (ratio.method, ratio.reason) == ("risk_ratio_plus_half", "a group has no case")
    assert ratio.estimate == pytest.approx(21.0)
    # √(1/10.5 − 1/100.5 + 1/.5 − 1/100.5) = √2.0753376 = 1.440603.
    assert ratio.log_error == pytest.approx(1.440603, abs=1e-6)


@pytest.mark.parametrize("counts", [(0, 100, 0, 100), (0, 0, 5, 100), (0, 0, 0, 0)])
def test_without_cases_or_customers_there_is_no_ratio(counts: tuple[int, ...]) -> None:
    ratio = risk_ratio.risk_ratio(*counts)
    assert ratio.method == "none"
    assert ratio.reason
    assert math.isnan(ratio.estimate)
    assert math.isnan(risk_ratio.e_value_of_limit(ratio))


def test_strata_with_one_group_only_say_nothing() -> None:
    ratio = risk_ratio.mantel_haenszel([30, 6, 5], [100, 300, 50], [80, 10, 0], [400, 1000, 0])
    assert ratio.estimate == pytest.approx(1.563, abs=5e-4)
    assert ratio.n == 1800
    assert risk_ratio.mantel_haenszel([5], [50], [0], [0]).method == "none"
    assert risk_ratio.mantel_haenszel([0, 0], [50, 60], [3, 4], [50, 60]).method == "none"


def test_where_everybody_is_a_case_nothing_is_taken_for_certain() -> None:
    # √(1/10 − 1/10 + 1/3 − 1/3) = 0: the interval would be from 1 to 1.
    for found in (
        risk_ratio.risk_ratio(10, 10, 3, 3),
        risk_ratio.mantel_haenszel([10, 2], [10, 2], [3, 1], [3, 1]),
    ):
        assert (found.method, found.reason) == ("none", "everybody is a case")
        assert math.isnan(found.estimate)
    # One who is not is enough.
    assert risk_ratio.risk_ratio(10, 10, 2, 3).lower < 1.5


def test_an_interval_that_covers_one_needs_no_common_cause() -> None:
    assert risk_ratio.e_value_of_limit(risk_ratio.risk_ratio(11, 100, 10, 100)) == 1
    assert risk_ratio.e_value(1.0) == 1


def test_a_protective_ratio_is_explained_away_from_its_upper_limit() -> None:
    # 10/1,000 against 100/1,000: the limit nearer to 1 is the upper one.
    ratio = risk_ratio.risk_ratio(10, 1000, 100, 1000)
    inverse = 1 / ratio.upper
    assert risk_ratio.e_value_of_limit(ratio) == pytest.approx(
        inverse + math.sqrt(inverse * (inverse - 1))
    )


@pytest.mark.parametrize("counts", [(11, 10, 1, 10), (1, 10, 11, 10), (-1, 10, 1, 10)])
def test_counts_that_cannot_be_are_refused(counts: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="more exposed cases|more other cases|is negative"):
        risk_ratio.risk_ratio(*counts)


@pytest.mark.parametrize("ratio", [0.0, -1.0])
def test_a_ratio_that_cannot_be_has_no_common_cause(ratio: float) -> None:
    with pytest.raises(ValueError, match="does not exist"):
        risk_ratio.e_value(ratio)


def within(covered: int, draws: int) -> bool:
    """Whether a 95 % interval may cover in so many draws, but for 1 time in 1,000."""
    return bool(binom.ppf(0.0005, draws, 0.95) <= covered <= binom.ppf(0.9995, draws, 0.95))


@pytest.mark.parametrize("truth", [0.5, 1.0, 6.0])
def test_the_intervals_cover_the_true_ratio(truth: float) -> None:
    rng = np.random.default_rng(1978)
    draws, exposed, others = 1000, np.array([300, 800, 60, 500]), np.array([900, 700, 600, 1500])
    risk = np.array([0.08, 0.03, 0.12, 0.05])
    crude = pooled = 0
    for _ in range(draws):
        a, c = rng.binomial(exposed, risk * truth), rng.binomial(others, risk)
        one = risk_ratio.risk_ratio(a[1], exposed[1], c[1], others[1])
        crude += one.lower < truth < one.upper
        all_ = risk_ratio.mantel_haenszel(a, exposed, c, others)
        pooled += all_.lower < truth < all_.upper
    assert within(pooled, draws)
    assert within(crude, draws)


@pytest.mark.parametrize("truth", [1.0, 3.0])
def test_blocks_of_the_same_customers_are_as_good_as_independent(truth: float) -> None:
    # Customers who differ much in how soon they buy, and hardly in whether they come from one block
    # to the next, are counted in each of five blocks until they buy. Their chances do not depend
    # on habit, so 1 stays 1; a ratio above it falls a little, as the eager ones are gone first.
    rng = np.random.default_rng(1982)
    draws, n, blocks = 400, 3000, 5
    logs, errors, covered = [], [], 0
    for _ in range(draws):
        risk = np.minimum(0.02 * rng.gamma(0.5, 2.0, n), 0.3)
        habit, here = rng.random(n) < 0.5, np.ones(n, dtype=bool)
        counts = []
        for _ in range(blocks):
            active = habit ^ (rng.random(n) < 0.1)
            buys = here & (rng.random(n) < risk * np.where(active, truth, 1.0))
            on, off = here & active, here & ~active
            counts.append([(buys & on).sum(), on.sum(), (buys & off).sum(), off.sum()])
            here &= ~buys
        found = risk_ratio.mantel_haenszel(*np.array(counts).T)
        logs.append(math.log(found.estimate))
        errors.append(found.log_error)
        covered += found.lower < truth < found.upper
    # The spread of 400 is known to 1/√800 = 3.5 %: three of those.
    assert np.std(logs, ddof=1) == pytest.approx(np.mean(errors), rel=0.11)
    assert truth > 1 or within(covered, draws)
