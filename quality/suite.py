"""What a suite of checks is.

Holds the shape of a rule only: landing.py and marts.py state rules, gate.py judges by them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import duckdb

from quality import engine

if TYPE_CHECKING:
    from great_expectations.expectations.expectation import Expectation

ROW_COUNT_EXPECTATIONS = (
    "expect_table_row_count_to_be_between",
    "expect_table_row_count_to_equal",
)


@dataclass(frozen=True)
class Check:
    """One expectation of a suite.

    Its reason is the expectation's `notes`, its weight the expectation's `severity`: critical
    refuses the refresh, warning is only recorded.

    Attributes:
        name: Unique within the suite; what a reader finds in quality_results.
        expectation: Any expectation of Great Expectations.
        offenders: A query, over `{batch}` if it likes, whose rows are the keys of what fails.
            Run only when the check failed. Without it the suite's key columns are asked for.
        observed: A query over `{batch}` that gives the observed value as one text, where the
            expectation's own says too little.
        expected: What was expected, in words, where the expectation's numbers say too little.
    """

    name: str
    expectation: "Expectation"
    offenders: str | None = None
    observed: str | None = None
    expected: str | None = None

    @property
    def reason(self) -> str:
        """Why this is expected, in a sentence for whoever reads a refusal."""
        notes = self.expectation.notes or ""
        return notes if isinstance(notes, str) else " ".join(notes)

    @property
    def severity(self) -> str:
        """`warning`, or `critical` for whatever is not plainly a warning."""
        value = getattr(self.expectation.severity, "value", self.expectation.severity)
        return "warning" if value == "warning" else "critical"


@dataclass(frozen=True)
class Suite:
    """Checks of the same rows.

    Attributes:
        name: Unique within a stage.
        query: The rows judged, as a select statement; checks call them `{batch}`.
        checks: At least one of them says how many rows are due.
        key: The columns that identify a row of the query.
    """

    name: str
    query: str
    checks: tuple[Check, ...]
    key: tuple[str, ...] = ()

    def over_batch(self, query: str) -> str:
        """`query` with the suite's rows in the place of `{batch}`."""
        return query.replace("{batch}", f"({self.query})")


@dataclass(frozen=True)
class Unbuilt:
    """A suite that could not be stated, say because its table is missing."""

    name: str
    error: Exception


Builder = Callable[[duckdb.DuckDBPyConnection], Suite]


def build(
    connection: duckdb.DuckDBPyConnection, builders: Sequence[tuple[str, Builder]]
) -> list[Suite | Unbuilt]:
    """Build each suite; one that cannot be built stays in the list, for the gate to refuse."""
    suites: list[Suite | Unbuilt] = []
    for name, builder in builders:
        try:
            suites.append(builder(connection))
        except Exception as error:  # whatever went wrong, the gate must hear of it
            suites.append(Unbuilt(name, error))
    return suites


def no_rows(name: str, query: str, reason: str, severity: str = "critical", **texts: Any) -> Check:
    """A check that `query` finds nothing; its rows are the offending keys.

    Args:
        name: The check's name.
        query: A query over `{batch}` that selects the key of every row that fails.
        reason: Why no row may fail.
        severity: critical or warning.
        texts: `observed` or `expected` of the check.
    """
    # Great Expectations fills in {batch} by str.format: every other brace is doubled for it.
    escaped = query.replace("{", "{{").replace("}", "}}").replace("{{batch}}", "{batch}")
    expectation = engine.no_rows_expectation()(
        unexpected_rows_query=escaped, severity=severity, notes=reason
    )
    texts.setdefault("expected", "no such row")
    return Check(name, expectation, offenders=query, **texts)


def rows_due(minimum: int, reason: str, severity: str = "critical") -> Check:
    """A check that the suite has at least `minimum` rows to judge."""
    import great_expectations.expectations as gxe

    return Check(
        "row_count",
        gxe.ExpectTableRowCountToBeBetween(min_value=minimum, severity=severity, notes=reason),
    )
