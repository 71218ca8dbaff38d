"""What the models in Python make of counted renewals: fits, hold-out, curves, retention."""

import datetime as dt
import math
from collections.abc import Iterable, Mapping
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from orchestration import estimates_contractual as contractual

Rows = Iterable[Mapping[str, Any]]

# Survivors of 1,000 after each of 7 renewals: "Regular", Fader & Hardie 2007, table 1.
REGULAR = (1000, 631, 468, 382, 326, 289, 262, 241)
JANUARY = dt.date(2024, 1, 1)

RENEWALS = (
    "sample varchar, segment varchar, billing_period varchar, period bigint, at_risk bigint, "
    "churned bigint"
)
SEGMENTS = (
    "sample varchar, segment varchar, billing_period varchar, observed_days bigint, "
    "observed_churned bigint, longest_period bigint"
)
HOLDOUT = (
    "segment varchar, billing_period varchar, first_period bigint, last_period bigint, "
    "contract_count bigint, survived bigint"
)
ASSUMPTIONS = "assumption varchar, low double, base double, high double"
COUNTS = (
    "cohort date, plan varchar, billing_period varchar, segment varchar, period bigint, "
    "at_risk bigint, churned bigint"
)


@pytest.fixture
def database() -> Iterable[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        yield connection


class Warehouse:
    """Relations as the models hand them over."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection
        self.count = 0

    def relation(self, columns: str, rows: Rows) -> duckdb.DuckDBPyRelation:
        self.count += 1
        name = f"given_{self.count}"
        self.connection.execute(f"create table {name} ({columns})")
        for row in rows:
            values = list(row.values())
            marks = ", ".join("?" for _ in values)
            self.connection.execute(
                f"insert into {name} ({', '.join(row)}) values ({marks})",  # noqa: S608
                values,
            )
        return self.connection.table(name)

    def of(self, found: pa.Table) -> duckdb.DuckDBPyRelation:
        self.count += 1
        self.connection.register(f"made_{self.count}", found)
        return self.connection.table(f"made_{self.count}")

    def fitted(self, renewals: Rows, segments: Rows, holdout: Rows = ()) -> pa.Table:
        return contractual.fits(
            self.relation(RENEWALS, renewals),
            self.relation(SEGMENTS, segments),
            self.relation(HOLDOUT, holdout),
        )

    def curves(self, fit: pa.Table, segments: Rows, *, rate: float | None = 0.10) -> Any:
        rates = {"low": 0.05, "base": rate, "high": 0.2} if rate is not None else {}
        row = {"assumption": "annual_discount_rate", **rates}
        found = contractual.curves(
            self.of(fit), self.relation(SEGMENTS, segments), self.relation(ASSUMPTIONS, [row])
        )
        return found.to_pylist()

    def retention(self, counts: Rows, fit: pa.Table | None = None) -> Any:
        known = fit if fit is not None else contractual.fit_table([])
        return contractual.retention(self.relation(COUNTS, counts), self.of(known)).to_pylist()


@pytest.fixture
def warehouse(database: duckdb.DuckDBPyConnection) -> Warehouse:
    return Warehouse(database)


def cohort(
    survivors: tuple[int, ...], segment: str = "p (year)", sample: str = "current"
) -> list[dict[str, Any]]:
    """Renewals of one cohort seen from its start."""
    key = {"sample": sample, "segment": segment, "billing_period": _length(segment)}
    return [
        {**key, "period": t + 1, "at_risk": before, "churned": before - after}
        for t, (before, after) in enumerate(zip(survivors, survivors[1:], strict=False))
    ]


def segment(name: str = "p (year)", sample: str = "current", **more: int) -> dict[str, Any]:
    seen = {"observed_days": 0, "observed_churned": 0, "longest_period": 1, **more}
    return {"sample": sample, "segment": name, "billing_period": _length(name), **seen}


def _length(name: str) -> str:
    return name.rpartition("(")[2].rstrip(")")


def counted(*pairs: tuple[int, int, int], plan: str = "p") -> list[dict[str, Any]]:
    """Counts of a plan by the month, as (period, at risk, churned)."""
    key = {"cohort": None, "plan": plan, "billing_period": "month", "segment": f"{plan} (month)"}
    return [{**key, "period": t, "at_risk": n, "churned": d} for t, n, d in pairs]


def parameters(fit: pa.Table, name: str, sample: str = "current") -> dict[str, float]:
    return {
        row["parameter"]: row["value"]
        for row in fit.to_pylist()
        if (row["segment"], row["sample"]) == (name, sample)
    }


def methods(fit: pa.Table) -> dict[str, str]:
    return {row["segment"]: row["method"] for row in fit.to_pylist()}


def test_the_published_cohort_gives_its_parameters_and_residual_lifetimes(
    warehouse: Warehouse,
) -> None:
    # Fader & Hardie 2007: α = .704, β = 1.182. Definitions §3: DERL at 10 % a period, which here
    # is a year, 2.9644 for a new customer and 4.1031 after a renewal.
    seen = [segment(longest_period=7)]
    fit = warehouse.fitted(cohort(REGULAR), seen)
    found = parameters(fit, "p (year)")
    assert found["alpha"] == pytest.approx(0.704, abs=5e-4)
    assert found["beta"] == pytest.approx(1.182, abs=5e-4)
    curve = warehouse.curves(fit, seen)
    assert [row["period"] for row in curve] == list(range(1, 9))
    assert curve[0]["derl_base"] == pytest.approx(2.9644, abs=5e-5)
    assert curve[1]["derl_base"] == pytest.approx(4.1031, abs=5e-5)
    assert curve[0]["method"] == "sbg"


def test_a_years_discount_is_converted_to_the_billing_period(warehouse: Warehouse) -> None:
    # All alike at a tenth a month: .9/(1 − .9/(1+d)), d = 1.1^(1/12) − 1 a month; low is the value
    # at the high rate.
    survivors = tuple(round(100_000 * 0.9**t) for t in range(7))
    seen = [segment("p (month)", longest_period=2)]
    fit = warehouse.fitted(cohort(survivors, "p (month)"), seen)
    hazard = parameters(fit, "p (month)")["hazard"]
    assert hazard == pytest.approx(0.1, abs=1e-4)
    first = warehouse.curves(fit, seen)[0]
    for name, rate in {"derl_low": 0.2, "derl_base": 0.1, "derl_high": 0.05}.items():
        monthly = (1 + rate) ** (1 / 12) - 1
        assert first[name] == pytest.approx((1 - hazard) / (1 - (1 - hazard) / (1 + monthly)))


@pytest.mark.parametrize("rate", [None, 0.0])
def test_without_a_discount_there_is_no_lifetime(warehouse: Warehouse, rate: float | None) -> None:
    seen = [segment(longest_period=1)]
    row = warehouse.curves(warehouse.fitted(cohort(REGULAR), seen), seen, rate=rate)[0]
    assert row["derl_base"] is None
    assert row["retention"] == pytest.approx(0.627, abs=1e-3)


def test_a_small_plan_has_the_retention_of_all_plans_with_its_billing_period(
    warehouse: Warehouse,
) -> None:
    renewals = [*cohort(REGULAR), *cohort((10, 8, 6), "q (year)"), *cohort((5, 4), "r (month)")]
    seen = [segment(), segment("q (year)"), segment("r (month)")]
    fit = warehouse.fitted(renewals, seen)
    assert methods(fit) == {
        "(all plans) (year)": "sbg",
        "p (year)": "sbg",
        "q (year)": "pooled_sbg",
        "(all plans) (month)": "constant_hazard",
        "r (month)": "constant_hazard",
    }
    assert parameters(fit, "q (year)") == parameters(fit, "(all plans) (year)")


def test_a_large_plan_whose_customers_are_alike_keeps_its_own_hazard(warehouse: Warehouse) -> None:
    # Churn that rises with tenure is what no mixture of customers gives: (500 + ½)/(39,500 + 1).
    alike = cohort((10_000, 9_950, 9_850, 9_700, 9_500), "q (year)")
    fit = warehouse.fitted([*cohort(REGULAR), *alike], [segment(), segment("q (year)")])
    assert methods(fit)["q (year)"] == "constant_hazard"
    assert parameters(fit, "q (year)")["hazard"] == pytest.approx(500.5 / 39_501)


def test_without_a_whole_period_the_time_seen_gives_the_hazard(warehouse: Warehouse) -> None:
    # 4 left in 24 months: (4 + ½)/(24 + 1) = .18 a month; 1 − e^−.18 = .164730.
    seen = [segment("p (month)", observed_days=731, observed_churned=4)]
    # 730.5 days are 24 months; half a day more changes the fourth digit.
    fit = warehouse.fitted([], seen)
    assert methods(fit)["p (month)"] == "constant_hazard"
    assert parameters(fit, "p (month)")["hazard"] == pytest.approx(0.164730, abs=2e-4)


def test_of_contracts_nobody_saw_for_a_day_nothing_is_known(warehouse: Warehouse) -> None:
    seen = [segment("p (month)")]
    fit = warehouse.fitted([], seen)
    assert methods(fit) == {"(all plans) (month)": "unknown", "p (month)": "unknown"}
    assert parameters(fit, "p (month)") == {None: None}
    assert warehouse.curves(fit, seen) == []


def test_without_contracts_every_table_is_empty(warehouse: Warehouse) -> None:
    fit = warehouse.fitted([], [])
    assert fit.num_rows == 0
    assert warehouse.curves(fit, []) == []
    assert warehouse.retention([]) == []


# 241 of the cohort were left. Its sBG says r_8 = (1.182 + 7)/(.704 + 1.182 + 7) = .9208: 221.9 of
# them renew once more. A constant hazard says (759 + ½)/(3,358 + 1) = .2261 leave: 186.5 renew.
@pytest.mark.parametrize(("actual", "method"), [(222, "sbg"), (186, "constant_hazard")])
def test_a_model_further_off_the_holdout_than_a_constant_hazard_gives_way_to_it(
    warehouse: Warehouse, actual: int, method: str
) -> None:
    held = {"segment": "p (year)", "billing_period": "year", "first_period": 8, "last_period": 8}
    holdout = [{**held, "contract_count": 241, "survived": actual}]
    before = cohort(REGULAR, sample="calibration")
    after = cohort((*REGULAR, actual))
    seen = [segment(), segment(sample="calibration")]
    fit = warehouse.fitted([*before, *after], seen, holdout)
    assert methods(fit)["p (year)"] == method
    measured = contractual.quality(
        warehouse.of(fit),
        warehouse.relation(RENEWALS, before),
        warehouse.relation(HOLDOUT, holdout),
        warehouse.relation(
            "calibration_end date, holdout_end date",
            [{"calibration_end": JANUARY, "holdout_end": dt.date(2025, 1, 1)}],
        ),
    ).to_pylist()
    rows = {row["measure"]: row for row in measured if row["segment"] == "p (year)"}
    predicted = rows["survivors_predicted"]
    assert predicted["value"] == pytest.approx(221.9, abs=0.05)
    assert predicted["naive_value"] == pytest.approx(186.5, abs=0.05)
    assert rows["survivors_actual"]["value"] == actual
    assert (predicted["n"], predicted["is_used"]) == (241, method == "sbg")
    assert (predicted["reason"] is None) == (method == "sbg")
    assert predicted["calibration_end"] == JANUARY


def test_survivors_are_predicted_over_all_renewals_that_came_due(warehouse: Warehouse) -> None:
    # A constant hazard h over periods 3 to 5 leaves (1 − h)³; over 4 alone 1 − h.
    before = cohort((1000, 900), "p (month)", sample="calibration")
    key = {"segment": "p (month)", "billing_period": "month"}
    holdout = [
        {**key, "first_period": 3, "last_period": 5, "contract_count": 100, "survived": 70},
        {**key, "first_period": 4, "last_period": 4, "contract_count": 50, "survived": 45},
    ]
    renewals = [*before, *cohort((1000, 900), "p (month)")]
    seen = [segment("p (month)"), segment("p (month)", sample="calibration")]
    measured = contractual.quality(
        warehouse.of(warehouse.fitted(renewals, seen, holdout)),
        warehouse.relation(RENEWALS, before),
        warehouse.relation(HOLDOUT, holdout),
        warehouse.relation(
            "calibration_end date, holdout_end date",
            [{"calibration_end": JANUARY, "holdout_end": JANUARY}],
        ),
    ).to_pylist()
    stay = 1 - 100.5 / 1001
    values = {row["measure"]: row["value"] for row in measured if row["segment"] == "p (month)"}
    assert values["survivors_predicted"] == pytest.approx(100 * stay**3 + 50 * stay)
    assert values["survivors_actual"] == 115


def test_retention_of_the_worked_example_has_its_curve_errors_and_interval(
    warehouse: Warehouse,
) -> None:
    # Definitions §3: (n, d) = (100, 10), (85, 5), (70, 7). Interval by hand at the first: se/(S·|ln
    # S|) = .03/(.9·.1053605) = .316374, times 1.959964 = .620082; .9^e^±.620082 = .822116, .944902.
    rows = warehouse.retention(counted((1, 100, 10), (2, 85, 5), (3, 70, 7)))
    observed = [row for row in rows if row["method"] == "kaplan_meier"]
    assert [row["tenure"] for row in observed] == [1, 2, 3]
    assert [row["survival"] for row in observed] == pytest.approx(
        [0.9, 0.847059, 0.762353], abs=5e-7
    )
    assert [row["standard_error"] for row in observed] == pytest.approx(
        [0.03, 0.036398, 0.044672], abs=5e-7
    )
    assert observed[0]["lower_bound"] == pytest.approx(0.822116, abs=1e-6)
    assert observed[0]["upper_bound"] == pytest.approx(0.944902, abs=1e-6)
    assert observed[0]["entry_tenure"] == 0


def test_retention_goes_on_for_a_year_with_the_plans_model(warehouse: Warehouse) -> None:
    # .762353, then a tenth less every month for twelve months.
    survivors = tuple(round(1_000_000 * 0.9**t) for t in range(7))
    fit = warehouse.fitted(cohort(survivors, "p (month)"), [segment("p (month)")])
    rows = warehouse.retention(counted((1, 100, 10), (2, 85, 5), (3, 70, 7)), fit)
    beyond = [row for row in rows if row["method"] != "kaplan_meier"]
    assert [row["tenure"] for row in beyond] == list(range(4, 16))
    assert [row["projected_survival"] for row in beyond] == pytest.approx(
        [0.762353 * 0.9**t for t in range(1, 13)], rel=1e-4
    )
    assert {(row["survival"], row["at_risk"]) for row in beyond} == {(None, 0)}


def test_retention_of_late_entrants_is_of_those_who_had_come_so_far(warehouse: Warehouse) -> None:
    first, second, *_ = warehouse.retention(counted((5, 10, 5), (6, 4, 1)))
    assert (first["tenure"], first["entry_tenure"], first["survival"]) == (5, 4, 0.5)
    assert second["survival"] == pytest.approx(0.5 * 3 / 4)


def test_retention_observed_after_a_gap_is_carried_by_the_model(warehouse: Warehouse) -> None:
    rows = warehouse.retention(counted((1, 10, 5), (3, 4, 1)))
    assert [(row["tenure"], row["at_risk"], row["survival"]) for row in rows[:3]] == [
        (1, 10, 0.5),
        (2, 0, None),
        (3, 4, None),
    ]
    # There is no model here, and so nothing to carry it with.
    assert {row["projected_survival"] for row in rows[1:]} == {None}
    assert {row["method"] for row in rows[1:]} == {"unknown"}


def test_when_all_have_left_nobody_comes_back(warehouse: Warehouse) -> None:
    fit = warehouse.fitted(cohort(REGULAR, "p (month)"), [segment("p (month)")])
    rows = warehouse.retention(counted((1, 10, 5), (2, 5, 5)), fit)
    assert (rows[1]["survival"], rows[1]["standard_error"]) == (0, None)
    assert {row["projected_survival"] for row in rows[1:]} == {0}


def test_equal_rows_in_another_order_give_equal_tables(warehouse: Warehouse) -> None:
    renewals = [
        *cohort(REGULAR),
        *cohort((900, 700, 600, 500), "q (year)"),
        *cohort((400, 300, 250, 190), "p (year)"),
    ]
    seen = [segment(), segment("q (year)")]
    one = warehouse.fitted(renewals, seen)
    other = warehouse.fitted(renewals[::-1], seen[::-1])
    assert one.equals(other)
    assert math.isfinite(parameters(one, "p (year)")["alpha"])
