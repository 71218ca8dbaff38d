"""Purchases without a contract: fallbacks, the verdict of the hold-out, the curve."""

import datetime as dt
import math
from collections.abc import Iterator
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from orchestration import estimates_purchases, warehouse
from orchestration.estimators import bg_nbd
from orchestration.estimators.fit import Fit
from tests.estimators import simulate

COUNTS = (
    "sample varchar, frequency bigint, recency_days bigint, age_days bigint, customers bigint, "
    "held_out_purchases bigint, held_out_squares bigint"
)
SPEND = (
    "sample varchar, valued_repeat_days bigint, repeat_value decimal(18, 4), "
    "held_out_days bigint, held_out_value decimal(18, 4), customers bigint, first_days bigint, "
    "first_value decimal(38, 4)"
)
PARAMETERS = ("purchases_method", "r", "alpha", "a", "b", "rate", "weeks")
# Fader, Hardie & Lee 2005, table 2.
CDNOW = ("bg_nbd", 0.243, 4.414, 0.793, 2.426, None, None)
ASSUMED = {"annual_discount_rate": (0.05, 0.1, 0.2), "horizon_weeks": (52.0, 260.0, 520.0)}
Row = tuple[Any, ...]


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as opened:
        yield opened


def relation(
    connection: duckdb.DuckDBPyConnection, name: str, columns: str, rows: list[Row]
) -> duckdb.DuckDBPyRelation:
    warehouse.replace_table(connection, name, columns, rows)
    return connection.table(name)


def fitted(
    connection: duckdb.DuckDBPyConnection, counts: list[Row], spend: list[Row]
) -> tuple[pa.Table, dict[tuple[str, str, str | None], Row]]:
    """The fits, and value, n, method and reason by estimator, sample and parameter."""
    made = estimates_purchases.fit(
        relation(connection, "counts", COUNTS, counts),
        relation(connection, "spend", SPEND, spend),
    )
    names = ("value", "n", "method", "reason")
    told = {
        (row["estimator"], row["sample"], row["parameter"]): tuple(row[name] for name in names)
        for row in made.to_pylist()
    }
    return made, told


def measured(connection: duckdb.DuckDBPyConnection, made: pa.Table) -> dict[str, dict[str, Any]]:
    """The hold-out of 70 days, by measure."""
    connection.register("fitted", made)
    days = [(dt.date(2024, 3, 31), dt.date(2024, 6, 9))]
    calibration = relation(
        connection, "calibration", "calibration_end date, holdout_end date", days
    )
    tables = (connection.table(name) for name in ("counts", "spend", "fitted"))
    rows = estimates_purchases.quality(*tables, calibration).to_pylist()
    return {row["measure"]: row for row in rows}


def curve(
    connection: duckdb.DuckDBPyConnection,
    used: Row,
    customers: list[tuple[int, int]],
    assumed: dict[str, tuple[float | None, ...]],
) -> dict[tuple[int, int], list[float]]:
    """Expected, and discounted at low, base and high, by frequency and age in days."""
    counts = [("current", x, 0, days, 1, None, None) for x, days in customers]
    columns = "purchases_method varchar, " + ", ".join(f"{n} double" for n in PARAMETERS[1:])
    rows = [(name, *numbers) for name, numbers in assumed.items()]
    made = estimates_purchases.curve(
        relation(connection, "counts", COUNTS, counts),
        relation(connection, "parameters", columns, [used]),
        relation(
            connection, "assumptions", "assumption varchar, low double, base double, high double",
            rows,
        ),
    )  # fmt: skip
    return {(row[0], row[1]): list(row[2:]) for row in zip(*made.to_pydict().values(), strict=True)}


def simulated(customers: int) -> list[Row]:
    """Customers of the published parameters, both samples alike, nothing bought in the hold-out."""
    rng = np.random.default_rng(20261123)
    made = simulate.by_day(rng, rng.integers(70, 700, customers) / 7)
    days = np.round(np.column_stack([made.recency, made.age]) * 7)
    return [
        (sample, int(x), int(t_x), int(age), 1, *held)
        for sample, held in (("current", (None, None)), ("calibration", (0, 0)))
        for x, (t_x, age) in zip(made.frequency, days, strict=True)
    ]


def test_too_few_customers_repeat_at_the_cohorts_mean_rate(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    # 2 customers of 14 weeks, 3 repeat days: 3/28 a week. 3 repeat days worth 60: 20 a day.
    _, told = fitted(
        connection,
        [("current", 3, 70, 98, 1, None, None), ("current", 0, 0, 98, 1, None, None)],
        [("current", 3, 60, None, None, 1, 1, 5), ("current", 0, 0, None, None, 1, 1, 7)],
    )
    lacking = "2 customers where 100 are needed, 1 repeat customers where 30 are needed"
    assert told["purchases", "current", "rate"] == (3 / 28, 2, "cohort_rate", lacking)
    assert told["purchases", "current", "weeks"] == (14, 2, "cohort_rate", lacking)
    assert told["purchase_mean_value", "current", "mean"] == (
        20, 1, "cohort_mean", "1 repeat customers where 30 are needed"
    )  # fmt: skip
    assert told["purchases", "calibration", None][2:] == (
        "no_future", "0 customers where 100 are needed, 0 repeat customers where 30 are needed"
    )  # fmt: skip


def test_where_nobody_repeats_a_purchase_is_worth_the_mean_first_one(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    _, told = fitted(
        connection,
        [("current", 0, 0, 98, 2, None, None)],
        [("current", 0, 0, None, None, 2, 2, 12)],
    )
    assert told["purchases", "current", "rate"][0] == 0
    assert told["purchase_mean_value_naive", "current", "mean"] == (
        6, 2, "cohort_mean", "no repeat purchases: the mean of first purchases"
    )  # fmt: skip


def test_spend_that_goes_with_frequency_has_everybodys_mean_and_says_so(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    # A day of who came back x times is worth 10·x: they correlate perfectly. Of 1 + … + 40 days
    # worth 10·(1² + … + 40²): 221,400 / 820 = 270.
    spend = [("current", x, 10 * x * x, None, None, 1, 1, 1) for x in range(1, 41)]
    _, told = fitted(connection, [("current", 0, 0, 98, 40, None, None)], spend)
    assert told["purchase_mean_value", "current", "mean"] == (
        270, 40, "cohort_mean", "frequency and spend correlate: r = 1.00"
    )  # fmt: skip


def test_free_repeat_purchases_are_in_the_mean_but_not_in_the_gamma_gamma(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    rng = np.random.default_rng(5)
    x, mean = simulate.spend(rng, 200)
    paid = [
        ("current", int(f), round(f * z, 4), None, None, 1, 1, 1)
        for f, z in zip(x, mean, strict=True)
    ]
    free = ("current", 1, 0, None, None, 50, 50, 0)
    _, told = fitted(connection, [("current", 0, 0, 98, 250, None, None)], [*paid, free])
    assert told["purchase_mean_value", "current", "p"][1:3] == (200, "gamma_gamma")
    value = sum(row[2] for row in paid)
    assert told["purchase_mean_value_naive", "current", "mean"][0] == pytest.approx(
        value / (x.sum() + 50)
    )


def test_an_estimate_worse_than_the_naive_forecast_is_not_used(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    # Whoever never came back comes once, others never: the opposite of what the model says.
    counts = [row if row[0] == "current" or row[1] else (*row[:5], 1, 1) for row in simulated(400)]
    made, told = fitted(connection, counts, [])
    assert told["purchases", "current", "r"][2] == "bg_nbd"
    found = measured(connection, made)["repeat_purchases_rmse"]
    assert found["value"] > found["naive_value"]
    assert (found["is_used"], found["reason"]) == (False, "worse than the naive forecast")


def test_an_estimate_better_than_the_naive_forecast_is_used(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    # Whoever bought in the last ten weeks goes on at his own pace, the others have stopped.
    def comes(row: Row) -> int:
        _, x, t_x, age, *_ = row
        return round(x / age * 70) if age - t_x < 70 else 0

    counts = [
        row if row[0] == "current" else (*row[:5], comes(row), comes(row) ** 2)
        for row in simulated(400)
    ]
    made, _ = fitted(connection, counts, [])
    found = measured(connection, made)
    rmse = found["repeat_purchases_rmse"]
    assert rmse["value"] < rmse["naive_value"]
    assert found["repeat_purchases_actual"]["value"] == sum(
        comes(row) for row in counts if row[0] == "calibration"
    )
    assert (rmse["is_used"], rmse["reason"], rmse["n"]) == (True, None, 400)
    assert found["mean_value_rmse"]["value"] is None


def test_the_naive_forecasts_error_is_worked_out_by_hand(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    # 2 repeat days in 20 customer-weeks are .1 a week: in the 10 weeks held out one each. One
    # came twice, one not at all: 1 off each. Too few for a model: nothing to measure, nor to use.
    counts = [("calibration", 1, 7, 70, 2, 2, 4), ("current", 1, 7, 140, 2, None, None)]
    made, _ = fitted(connection, counts, [])
    found = measured(connection, made)
    assert found["repeat_purchases_actual"]["value"] == 2
    rmse = found["repeat_purchases_rmse"]
    assert (rmse["value"], rmse["naive_value"]) == (None, pytest.approx(1))
    assert not rmse["is_used"]
    assert rmse["reason"].startswith("2 customers where 100 are needed")


def test_a_forecast_without_an_error_has_none(connection: duckdb.DuckDBPyConnection) -> None:
    # Nobody ever came twice: the mean rate is 0, and nobody comes.
    counts = [("calibration", 0, 0, 70, 3, 0, 0), ("current", 0, 0, 140, 3, None, None)]
    made, _ = fitted(connection, counts, [])
    assert measured(connection, made)["repeat_purchases_rmse"]["naive_value"] == 0


def test_a_fit_that_could_not_be_measured_is_not_used_and_says_so(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    current = [row for row in simulated(400) if row[0] == "current"]
    made, _ = fitted(connection, [*current, ("calibration", 1, 7, 70, 1, 1, 1)], [])
    found = measured(connection, made)["repeat_purchases_rmse"]
    assert not found["is_used"]
    assert found["reason"].startswith("not measured: 1 customers where 100 are needed")


def test_without_a_calibration_sample_there_is_no_hold_out(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    made, _ = fitted(connection, [("current", 0, 0, 0, 3, None, None)], [])
    assert measured(connection, made) == {}


def test_the_order_of_rows_changes_no_digit(connection: duckdb.DuckDBPyConnection) -> None:
    counts = simulated(400)
    spend = [(row[0], row[1], row[1] * row[2] + 1, None, None, 1, 1, 2) for row in counts]
    told = fitted(connection, counts, spend)[1]
    with duckdb.connect() as other:
        assert fitted(other, counts[::-1], spend[::-1])[1] == told


def test_the_curve_of_the_published_customer(connection: duckdb.DuckDBPyConnection) -> None:
    # Definitions §3: P(alive) .7266, DET 4.1002 over 260 weeks at 10 %. 272 days: 38.86 weeks.
    found = curve(connection, CDNOW, [(2, 272)], ASSUMED)[2, 272]
    assert 0.7266 * found[2] == pytest.approx(4.1002, abs=5e-4)
    # The low end has the short horizon and the high rate, the high end the other way round.
    model = Fit.known("bg_nbd", **dict(zip(PARAMETERS[1:5], CDNOW[1:5], strict=True)))
    for place, weeks, rate in ((1, 52, 0.2), (3, 520, 0.05)):
        wanted = bg_nbd.discounted_purchases_if_alive(model, 2, 272 / 7, weeks, rate)
        assert found[place] == pytest.approx(wanted[0])
    assert found[0] == pytest.approx(bg_nbd.expected_purchases_if_alive(model, 2, 272 / 7, 260)[0])


def test_a_mean_rate_reaches_no_further_than_it_was_watched(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    # .1 a week, watched for 2 whole weeks: .2; at 10 % a year .1·(1.1^(−1/52) + 1.1^(−2/52)).
    used = ("cohort_rate", None, None, None, None, 0.1, 2.5)
    found = curve(connection, used, [(0, 7), (3, 14)], ASSUMED)
    base = 0.1 * (1.1 ** (-1 / 52) + 1.1 ** (-2 / 52))
    assert found[0, 7] == found[3, 14]
    assert found[0, 7][0] == pytest.approx(0.2)
    assert found[0, 7][2] == pytest.approx(base)


def test_what_rests_on_an_unknown_is_unknown(connection: duckdb.DuckDBPyConnection) -> None:
    unknown = {**ASSUMED, "annual_discount_rate": (None, None, None)}
    expected, *discounted = curve(connection, CDNOW, [(0, 7)], unknown)[0, 7]
    assert math.isfinite(expected)
    assert discounted == [None] * 3


def test_nothing_is_known_of_customers_of_a_day(connection: duckdb.DuckDBPyConnection) -> None:
    used = ("no_future", *(None,) * 6)
    assert curve(connection, used, [(0, 0)], ASSUMED) == {(0, 0): [None] * 4}


def test_a_horizon_of_no_week_holds_nothing(connection: duckdb.DuckDBPyConnection) -> None:
    assumed = {**ASSUMED, "horizon_weeks": (0.0, 0.0, 0.0)}
    assert curve(connection, CDNOW, [(2, 272)], assumed)[2, 272] == [0] * 4
