"""Retention without a model: worked examples, a telecom's curve, and what must always hold."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.estimators import kaplan_meier
from tests.estimators import real, simulate
from tests.estimators.properties import tried

# tenure, whether it ended in churn, how many.
groups = st.lists(
    st.tuples(st.integers(1, 12), st.booleans(), st.integers(1, 40)), min_size=1, max_size=30
)


def test_the_worked_example_has_its_curve_and_errors() -> None:
    # Definitions §3: (n, d) = (100, 10), (85, 5), (70, 7).
    curve = kaplan_meier.curve([1, 2, 3], [100, 85, 70], [10, 5, 7])
    np.testing.assert_allclose(curve.survival, [0.9, 0.847059, 0.762353], atol=5e-7)
    np.testing.assert_allclose(curve.standard_error, [0.03, 0.036398, 0.044672], atol=5e-7)


def test_the_interval_is_symmetric_in_the_log_of_minus_the_log() -> None:
    # Same example, first time: se/(S·|ln S|) = .03/(.9·.1053605) = .316374; times 1.959964 =
    # .620082; .9^exp(±.620082) = .9^1.859080 = .822116 and .9^.537900 = .944902.
    curve = kaplan_meier.curve([1, 2, 3], [100, 85, 70], [10, 5, 7])
    assert curve.lower[0] == pytest.approx(0.822116, abs=1e-6)
    assert curve.upper[0] == pytest.approx(0.944902, abs=1e-6)


def test_remission_times_give_the_textbooks_curve() -> None:
    # 21 leukaemia patients on 6-MP (Freireich et al. 1963; Cox & Oakes, Analysis of Survival
    # Data, 1984, table 1.1 and §4.2): + is censored.
    churned = [6, 6, 6, 7, 10, 13, 16, 22, 23]
    still_there = [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]
    table = kaplan_meier.risk_table(
        churned + still_there, [1] * len(churned) + [0] * len(still_there)
    )
    curve = kaplan_meier.curve(*table)
    falls = curve.churned > 0
    assert curve.time[falls].tolist() == [6, 7, 10, 13, 16, 22, 23]
    assert curve.at_risk[falls].tolist() == [21, 17, 15, 12, 11, 7, 6]
    np.testing.assert_allclose(
        curve.survival[falls], [0.8571, 0.8067, 0.7529, 0.6902, 0.6275, 0.5378, 0.4482], atol=5e-5
    )


def test_the_telecoms_customers_have_its_curve(real_data: Path) -> None:
    # The data's README: S at 12, 24, 36, 48, 60 months; 7,043 customers, 1,869 churned.
    rows = real.telco(real_data)
    tenure = [int(row["tenure"]) for row in rows]
    is_churned = [row["Churn"] == "Yes" for row in rows]
    curve = kaplan_meier.curve(*kaplan_meier.risk_table(tenure, is_churned))
    assert curve.churned.sum() == 1869
    at = np.searchsorted(curve.time, [12, 24, 36, 48, 60])
    np.testing.assert_allclose(
        curve.survival[at], [0.8432, 0.7887, 0.7485, 0.7088, 0.6644], atol=5e-5
    )


def test_who_is_still_there_at_a_time_was_at_risk_at_it() -> None:
    time, at_risk, churned = kaplan_meier.risk_table([1, 1, 2], [1, 0, 1], [10, 20, 30])
    assert time.tolist() == [1, 2]
    assert at_risk.tolist() == [60, 30]
    assert churned.tolist() == [10, 30]


def test_who_entered_late_was_not_at_risk_before() -> None:
    # Ten from the start, half of whom churn at 2; ninety seen from tenure 2 on: at risk at 3.
    time, at_risk, churned = kaplan_meier.risk_table(
        [2, 3, 3, 3], [1, 0, 1, 0], [5, 5, 30, 60], [0, 0, 2, 2]
    )
    assert time.tolist() == [2, 3]
    assert at_risk.tolist() == [10, 95]
    assert churned.tolist() == [5, 30]
    curve = kaplan_meier.curve(time, at_risk, churned)
    np.testing.assert_allclose(curve.survival, [1 / 2, 1 / 2 * 65 / 95])


@tried
@given(groups)
def test_with_nobody_censored_it_is_the_share_still_there(
    drawn: list[tuple[int, bool, int]],
) -> None:
    tenure, _, count = np.array(drawn, dtype=float).T
    curve = kaplan_meier.curve(*kaplan_meier.risk_table(tenure, 1, count))
    share = [count[tenure > t].sum() / count.sum() for t in curve.time]
    np.testing.assert_allclose(curve.survival, share, atol=1e-12)
    # Greenwood's variance is then the binomial's.
    binomial = np.sqrt(np.array(share) * (1 - np.array(share)) / count.sum())
    inner = curve.survival > 1e-9
    np.testing.assert_allclose(curve.standard_error[inner], binomial[inner], rtol=1e-9)


@tried
@given(groups)
def test_it_falls_and_its_interval_holds_it(drawn: list[tuple[int, bool, int]]) -> None:
    curve = kaplan_meier.curve(*kaplan_meier.risk_table(*np.array(drawn, dtype=float).T))
    assert (np.diff(curve.survival, prepend=1.0) <= 1e-12).all()
    inner = (curve.survival > 1e-9) & (curve.survival < 1)
    assert (curve.lower[inner] < curve.survival[inner]).all()
    assert (curve.survival[inner] < curve.upper[inner]).all()
    assert (curve.lower[inner] > 0).all()
    assert (curve.upper[inner] < 1).all()
    # Nothing is said where Greenwood's formula knows of no uncertainty.
    assert np.isnan(curve.lower[~inner]).all()


@tried
@given(groups)
def test_the_order_and_splitting_of_rows_do_not_matter(
    drawn: list[tuple[int, bool, int]],
) -> None:
    rows = np.array(drawn, dtype=float)
    split = np.concatenate([rows, rows])[::-1] * [1, 1, 0.5]
    for one, other in zip(
        kaplan_meier.risk_table(*rows.T), kaplan_meier.risk_table(*split.T), strict=True
    ):
        np.testing.assert_allclose(one, other)


@tried
@given(groups)
def test_entering_late_at_one_age_gives_the_curve_from_that_age_on(
    drawn: list[tuple[int, bool, int]],
) -> None:
    tenure, is_churned, count = np.array(drawn, dtype=float).T
    whole = kaplan_meier.risk_table(tenure + 3, is_churned, count)
    late = kaplan_meier.risk_table(tenure + 3, is_churned, count, 3)
    for one, other in zip(whole, late, strict=True):
        np.testing.assert_array_equal(one, other)


def test_nobody_has_no_curve() -> None:
    assert kaplan_meier.curve(*kaplan_meier.risk_table([], [])).survival.size == 0


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ((1, 0.5, 1, 0), "is_churned is neither 0 nor 1"),
        ((1, 1, -1, 0), "count is negative"),
        ((-1, 0, 1, 0), "tenure is negative"),
        ((2, 0, 1, 3), "not observed before the end of his tenure"),
        ((2, 1, 1, 2), "not observed before the end of his tenure"),
    ],
)
def test_rows_that_cannot_be_are_refused(row: tuple[float, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        kaplan_meier.risk_table(*row)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (([1, 1], [10, 9], [1, 1]), "a time is repeated"),
        (([1], [10], [11]), "more customers churned than were at risk"),
    ],
)
def test_tables_that_cannot_be_are_refused(arrays: tuple[list[int], ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        kaplan_meier.curve(*arrays)


def test_the_interval_covers_the_true_curve_even_when_half_entered_late() -> None:
    # S(5) of the model drawn from, α .704 and β 1.182, is Π (β+t−1)/(α+β+t−1) = .28856.
    truth = np.prod([(1.182 + t) / (0.704 + 1.182 + t) for t in range(5)])
    rng = np.random.default_rng(1958)
    covered, estimates = 0, []
    for _ in range(60):
        curve = kaplan_meier.curve(*simulate.contracts(rng, 1000, 10, late=True))
        at = np.searchsorted(curve.time, 5)
        covered += curve.lower[at] < truth < curve.upper[at]
        estimates.append(curve.survival[at])
    # Of 60 at 95 %, 51 or fewer have a chance of 1 in 700.
    assert covered >= 52
    assert abs(np.mean(estimates) - truth) < 4 * np.std(estimates) / np.sqrt(60)
