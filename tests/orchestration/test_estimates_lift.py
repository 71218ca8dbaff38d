"""The ratios of the mart activity_purchase_lift, from counts as the warehouse has them."""

import datetime as dt
from typing import Any

import duckdb
import pytest

from orchestration.estimates_lift import COUNTS, CRUDE, ROUGH, STRATIFIED, associations

DAY = dt.date(2024, 6, 3)
Counted = tuple[str | None, dt.date | None, int | None, int | None, int | None, int | None]


def found(*counted: Counted) -> dict[str, dict[str, Any]]:
    """The rows of one activity, by stratum; counted are stratum, block, a, n1, c, n0."""
    connection = duckdb.connect()
    connection.execute(
        "create table counts (activity varchar, stratification varchar, stratum varchar, "
        f"block_start_day date, {', '.join(f'{name} bigint' for name in COUNTS)})"
    )
    for row in counted:
        connection.execute("insert into counts values ('any', 'kind', ?, ?, ?, ?, ?, ?)", row)
    rows = associations(connection.table("counts")).to_pylist()
    return {row["stratum"]: row for row in rows}


def test_the_known_answer_of_a_crude_ratio() -> None:
    # definitions §7: 120/2,000 against 100/10,000 is 6.000 (4.622..7.789), E-value 11.48; that of
    # the limit 4.6217 is 4.6217 + √(4.6217·3.6217) = 8.713.
    row = found(("all", DAY, 120, 2_000, 100, 10_000))[CRUDE]
    assert [row[name] for name in COUNTS] == [120, 2_000, 100, 10_000]
    assert row["association"] == pytest.approx(6)
    assert (row["lower_bound"], row["upper_bound"]) == pytest.approx((4.622, 7.789), abs=5e-4)
    assert row["e_value"] == pytest.approx(11.48, abs=5e-3)
    assert row["e_value_of_limit"] == pytest.approx(8.713, abs=1e-3)
    assert (row["method"], row["reason"], row["block_count"]) == ("risk_ratio", None, 1)


def test_the_known_answer_of_a_stratified_ratio() -> None:
    # definitions §7: 1.563 (1.115..2.192), crude 1.40 = (36/400) / (90/1,400).
    rows = found(("keen", DAY, 30, 100, 80, 400), ("not", DAY, 6, 300, 10, 1_000))
    row = rows[STRATIFIED]
    assert row["association"] == pytest.approx(1.563, abs=5e-4)
    assert (row["lower_bound"], row["upper_bound"]) == pytest.approx((1.115, 2.192), abs=5e-4)
    assert row["method"] == "mantel_haenszel"
    assert rows[CRUDE]["association"] == pytest.approx(1.40)
    # (30/100) / (80/400) and (6/300) / (10/1,000).
    assert rows["keen"]["association"] == pytest.approx(1.5)
    assert rows["not"]["association"] == pytest.approx(2)


def test_blocks_are_compared_each_within_itself() -> None:
    # The same two tables as strata and as blocks of one stratum: stratified by block, 1.563 too.
    later = dt.date(2024, 7, 1)
    rows = found(("all", DAY, 30, 100, 80, 400), ("all", later, 6, 300, 10, 1_000))
    assert rows[STRATIFIED]["association"] == pytest.approx(1.563, abs=5e-4)
    assert rows["all"]["association"] == pytest.approx(1.40)
    assert rows["all"]["block_count"] == 2


def test_strata_with_one_group_alone_do_not_enter_the_stratified_row() -> None:
    rows = found(("both", DAY, 30, 100, 80, 400), ("active alone", DAY, 50, 60, 0, 0))
    assert [rows[STRATIFIED][name] for name in COUNTS] == [30, 100, 80, 400]
    assert rows[STRATIFIED]["association"] == pytest.approx(1.5)
    assert (rows["active alone"]["association"], rows["active alone"]["e_value"]) == (None, None)
    assert rows["active alone"]["method"] == "none"
    assert rows["active alone"]["reason"] == "a group is empty"


def test_few_cases_are_said_to_be_few() -> None:
    assert found(("all", DAY, 4, 100, 80, 400))[CRUDE]["reason"] == ROUGH
    assert found(("all", DAY, 5, 100, 5, 400))[CRUDE]["reason"] is None


def test_what_was_not_counted_is_asked_and_unknown() -> None:
    rows = found((None, None, None, None, None, None))
    assert list(rows) == [CRUDE]
    assert {rows[CRUDE][name] for name in (*COUNTS, "association", "block_count")} == {None}
    assert rows[CRUDE]["method"] == "none"


def test_the_order_of_the_counts_does_not_matter() -> None:
    counted: list[Counted] = [
        (f"s{number}", DAY, number, 10 * number + 7, 2, 91 + number) for number in range(1, 9)
    ]
    assert found(*counted) == found(*reversed(counted))
