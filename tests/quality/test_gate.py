"""The gate fails closed: what was not judged, or not judged well, is refused."""

from dataclasses import replace

import duckdb
import great_expectations.expectations as gxe
import pytest

from quality import gate
from quality.gate import Verdict
from quality.suite import Check, Suite, Unbuilt, no_rows, rows_due

DUE = rows_due(1, "An empty table would read as nothing to complain of.")


@pytest.fixture
def table(landed: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    landed.execute("create table readers as select * from (values ('a', 1), ('b', 2)) as t(id, n)")
    return landed


def suite(*checks: Check, query: str = "select * from readers") -> Suite:
    return Suite("readers", query, (DUE, *checks), key=("id",))


def judged(connection: duckdb.DuckDBPyConnection, *suites: Suite) -> Verdict:
    return gate.judge("marts", suites, connection)


def negative(severity: str = "critical") -> Check:
    return no_rows("negative", "select id from {batch} where n < 2", "No debts.", severity)


def test_a_suite_whose_checks_hold_passes(table: duckdb.DuckDBPyConnection) -> None:
    verdict = judged(table, suite(no_rows("few", "select id from {batch} where n > 9", "Few.")))
    assert verdict.is_passed
    assert [(r.check_name, r.is_passed) for r in verdict.results] == [
        ("row_count", True),
        ("few", True),
    ]


def test_a_critical_failure_refuses_with_its_reason_and_keys(
    table: duckdb.DuckDBPyConnection,
) -> None:
    verdict = judged(table, suite(negative()))
    assert not verdict.is_passed
    [refusal] = verdict.refusals
    assert "No debts." in refusal
    assert verdict.results[1].offending_keys == ("a",)


def test_a_warning_is_recorded_and_does_not_refuse(table: duckdb.DuckDBPyConnection) -> None:
    verdict = judged(table, suite(negative("warning")))
    assert verdict.is_passed
    assert [r.is_passed for r in verdict.results] == [True, False]


def test_at_most_five_offending_keys_are_told(table: duckdb.DuckDBPyConnection) -> None:
    many = "select i::varchar as id, 0 as n from range(9) as numbers(i)"
    verdict = judged(table, suite(negative(), query=many))
    assert len(verdict.results[1].offending_keys) == 5


def test_keys_come_from_great_expectations_own_checks_too(
    table: duckdb.DuckDBPyConnection,
) -> None:
    check = Check(
        "known", gxe.ExpectColumnValuesToBeInSet(column="n", value_set=[1], notes="Ones only.")
    )
    verdict = judged(table, suite(check))
    assert verdict.results[1].offending_keys == ("b",)


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        (Suite("readers", "select * from readers", ()), "empty"),
        (Suite("readers", "select * from readers", (negative(),)), "how many rows are due"),
        (Suite("readers", "select * from nowhere", (DUE,)), "nowhere"),
        (suite(no_rows("x", "select missing from {batch}", "Why.")), "missing"),
        (suite(no_rows("x", "select id from {batch}", " ")), "no reason"),
        (suite(negative("warning"), negative("warning")), "Two checks"),
        (suite(query="select * from readers where false"), "empty table"),
    ],
)
def test_what_cannot_be_judged_is_refused(
    table: duckdb.DuckDBPyConnection, broken: Suite, told: str
) -> None:
    verdict = judged(table, broken)
    assert not verdict.is_passed
    assert told in " ".join(verdict.refusals)


def test_an_expectation_that_raises_is_critical_even_if_it_only_warned(
    table: duckdb.DuckDBPyConnection,
) -> None:
    verdict = judged(table, suite(no_rows("x", "select missing from {batch}", "Why.", "warning")))
    assert not verdict.is_passed
    assert verdict.results[1].severity == "critical"
    assert verdict.results[1].error is not None


def test_a_stage_without_a_suite_is_refused(table: duckdb.DuckDBPyConnection) -> None:
    assert not judged(table).is_passed


def test_a_stage_whose_suites_cannot_be_built_is_refused(
    table: duckdb.DuckDBPyConnection,
) -> None:
    def raises(connection: duckdb.DuckDBPyConnection) -> list[Suite]:
        raise ValueError("no suites today")

    verdict = gate.judge("marts", raises, table)
    assert "no suites today" in verdict.refusals[0]


def test_two_suites_of_one_name_are_refused(table: duckdb.DuckDBPyConnection) -> None:
    assert not judged(table, suite(), suite()).is_passed


def test_identifiers_that_failed_a_check_are_not_told(table: duckdb.DuckDBPyConnection) -> None:
    table.execute("insert into readers values ('liisa.virtanen@example.fi', 0)")
    verdict = judged(table, suite(negative()))
    assert "liisa" not in str(verdict)
    assert "(withheld)" in " ".join(verdict.results[1].offending_keys)


def test_the_connection_is_as_usable_afterwards_as_before(
    table: duckdb.DuckDBPyConnection,
) -> None:
    table.execute("begin")
    table.execute("insert into readers values ('c', 3)")
    judged(table, suite())
    table.execute("rollback")
    assert table.execute("select count(*) from readers").fetchone() == (2,)


def test_the_connection_outlives_a_check_that_raises(
    table: duckdb.DuckDBPyConnection,
) -> None:
    judged(table, suite(no_rows("x", "select missing from {batch}", "Why.")))
    assert table.execute("select count(*) from readers").fetchone() == (2,)


def test_a_suite_that_cannot_be_built_does_not_keep_the_others_from_being_judged(
    table: duckdb.DuckDBPyConnection,
) -> None:
    unbuilt = Unbuilt("gone", duckdb.CatalogException("Table customers does not exist"))
    verdict = gate.judge("marts", [unbuilt, suite(negative())], table)
    assert [(r.suite, r.is_passed) for r in verdict.results] == [
        ("gone", False),
        ("readers", True),
        ("readers", False),
    ]
    assert "Table customers does not exist" in verdict.refusals[0]


def test_a_check_whose_offenders_cannot_be_told_is_refused(
    table: duckdb.DuckDBPyConnection,
) -> None:
    check = replace(negative("warning"), offenders="select missing from {batch}")
    verdict = judged(table, suite(check))
    assert not verdict.is_passed
    assert "missing" in str(verdict.results[1].error)
