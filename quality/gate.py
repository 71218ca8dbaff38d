"""Whether a refresh may be published.

Holds the verdict only. Rules live in landing.py and marts.py; swapping the published version
belongs to orchestration.publish. The gate fails closed: what could not be judged is refused.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import duckdb

from quality import engine, identifiers
from quality.suite import ROW_COUNT_EXPECTATIONS, Check, Suite, Unbuilt

if TYPE_CHECKING:
    from great_expectations.core import ExpectationValidationResult

OFFENDING_KEYS = 5
LONGEST_ERROR = 300
WHOLE_SUITE = "(suite)"

Suites = Sequence[Suite | Unbuilt]


@dataclass(frozen=True)
class CheckResult:
    """How one check came out: a row of quality_results, but for `error`.

    `error` is set when the check could not be judged; then it is critical and has failed.
    """

    stage: str
    suite: str
    check_name: str
    severity: str
    is_passed: bool
    observed: str
    expected: str
    reason: str
    offending_keys: tuple[str, ...] = ()
    error: str | None = None


@dataclass(frozen=True)
class Verdict:
    """All results of a stage and, in a sentence each, what refuses it."""

    stage: str
    results: tuple[CheckResult, ...]
    refusals: tuple[str, ...]

    @property
    def is_passed(self) -> bool:
        """Whether something was judged and nothing refuses."""
        return bool(self.results) and not self.refusals


def judge(
    stage: str,
    suites: Suites | Callable[[duckdb.DuckDBPyConnection], Suites],
    connection: duckdb.DuckDBPyConnection,
    due: Collection[str] = (),
) -> Verdict:
    """Judge suites on the connection they were built for; never raises for what it judges.

    Args:
        stage: landing or marts, as quality_results names it.
        suites: The suites, or the function that builds them on the connection. A suite that
            does not build, is empty, cannot run or does not say how many rows are due is a
            critical failure of its own.
        connection: Where the suites' tables are; nothing else may use it meanwhile.
        due: Names of suites that must be among them.
    """
    results: list[CheckResult] = []
    try:
        results.extend(_judged(stage, suites, connection, due))
    except Exception as error:  # a gate that breaks must refuse, whatever broke it
        results.append(_unjudged(stage, WHOLE_SUITE, error))
    results = [_unleaked(result) for result in results]
    refusals = tuple(
        _refusal(result)
        for result in results
        if not result.is_passed and result.severity == "critical"
    )
    return Verdict(stage, tuple(results), refusals)


def _judged(
    stage: str,
    suites: Suites | Callable[[duckdb.DuckDBPyConnection], Suites],
    connection: duckdb.DuckDBPyConnection,
    due: Collection[str],
) -> Iterator[CheckResult]:
    built = list(suites(connection) if callable(suites) else suites)
    if not built:
        yield _unjudged(stage, WHOLE_SUITE, "There is no suite to judge by.")
        return
    for name in sorted(set(due) - {suite.name for suite in built}):
        yield _unjudged(stage, name, "The suite is missing.")
    repeated = [name for name, count in Counter(suite.name for suite in built).items() if count > 1]
    for name in repeated:
        yield _unjudged(stage, name, "Two suites of the stage have this name.")
    with engine.opened(connection) as examination:
        for suite in built:
            yield from _judged_suite(stage, suite, examination, connection)


def _judged_suite(
    stage: str,
    suite: Suite | Unbuilt,
    examination: engine.Examination,
    connection: duckdb.DuckDBPyConnection,
) -> Iterator[CheckResult]:
    defect = _defect(suite)
    if isinstance(suite, Unbuilt) or defect:
        yield _unjudged(stage, suite.name, defect)
        return
    try:
        outcome = examination.validate(
            suite.name, suite.query, [_named(check) for check in suite.checks]
        )
    except Exception as error:  # see judge
        yield _unjudged(stage, suite.name, error)
        return
    # Great Expectations calls a suite that evaluated nothing a success; we do not.
    if len(outcome.results) != len(suite.checks):
        yield _unjudged(
            stage,
            suite.name,
            f"{len(suite.checks)} checks gave {len(outcome.results)} results.",
        )
    by_name = {result.expectation_config.meta["check_name"]: result for result in outcome.results}
    for check in suite.checks:
        yield _result(stage, suite, check, by_name.get(check.name), examination, connection)


def _defect(suite: Suite | Unbuilt) -> str | Exception | None:
    """What keeps a suite from being judged at all; None when nothing does."""
    if isinstance(suite, Unbuilt):
        return suite.error
    if not suite.checks:
        return "The suite is empty."
    repeated = [
        name for name, count in Counter(check.name for check in suite.checks).items() if count > 1
    ]
    if repeated:
        return f"Two checks of the suite are called {repeated[0]}."
    unreasoned = [check.name for check in suite.checks if not check.reason.strip()]
    if unreasoned:
        return f"The check {unreasoned[0]} gives no reason."
    # Most expectations hold of no rows at all.
    if not any(
        check.expectation.expectation_type in ROW_COUNT_EXPECTATIONS for check in suite.checks
    ):
        return "The suite does not say how many rows are due."
    return None


def _named(check: Check) -> Any:
    """The check's expectation, carrying the check's name through Great Expectations."""
    return check.expectation.copy(update={"meta": {"check_name": check.name}})


def _result(
    stage: str,
    suite: Suite,
    check: Check,
    result: "ExpectationValidationResult | None",
    examination: engine.Examination,
    connection: duckdb.DuckDBPyConnection,
) -> CheckResult:
    error = "It gave no result." if result is None else _exception(result.exception_info)
    if result is None or error:
        return replace(
            _unjudged(stage, suite.name, error),
            check_name=check.name,
            expected=_expected(check),
            reason=f"{check.reason} The check could not be judged: {_one_line(error)}",
        )
    judged = CheckResult(
        stage=stage,
        suite=suite.name,
        check_name=check.name,
        severity=check.severity,
        is_passed=bool(result.success),
        observed=_observed(result.result),
        expected=_expected(check),
        reason=check.reason,
    )
    try:
        if check.observed:
            row = connection.execute(suite.over_batch(check.observed)).fetchone()
            judged = replace(judged, observed=str(row[0]) if row else "nothing")
        if not judged.is_passed:
            keys = _offending_keys(suite, check, examination, connection)
            judged = replace(judged, offending_keys=keys)
    except Exception as failure:  # a detail that cannot be told is a check that is broken
        return replace(judged, severity="critical", is_passed=False, error=_one_line(failure))
    return judged


def _offending_keys(
    suite: Suite,
    check: Check,
    examination: engine.Examination,
    connection: duckdb.DuckDBPyConnection,
) -> tuple[str, ...]:
    if check.offenders:
        # In order, so that the same rows are named every time, and because DuckDB 2.0 may wait
        # for ever when a limit lets it stop early over a union.
        offenders = suite.over_batch(check.offenders)
        query = f"select * from ({offenders}) order by all limit {OFFENDING_KEYS}"
        rows = connection.execute(query).fetchall()
        return tuple(_key(row) for row in rows)
    if not suite.key:
        return ()
    outcome = examination.validate(suite.name, suite.query, [_named(check)], suite.key)
    found = outcome.results[0].result.get("partial_unexpected_index_list") or []
    keys = dict.fromkeys(_key([row[name] for name in suite.key]) for row in found)
    return tuple(keys)[:OFFENDING_KEYS]


def _key(values: Sequence[Any]) -> str:
    return " · ".join("(none)" if value is None else str(value) for value in values)


def _observed(result: dict[str, Any]) -> str:
    if "observed_value" in result:
        return _number(result["observed_value"])
    if "unexpected_count" in result:
        return f"{result['unexpected_count']} of {result['element_count']} rows fail"
    return "nothing"


def _expected(check: Check) -> str:
    if check.expected:
        return check.expected
    kwargs = check.expectation.configuration.kwargs
    low, high = kwargs.get("min_value"), kwargs.get("max_value")
    if low is not None and high is not None:
        return f"{_number(low)} to {_number(high)}"
    if low is not None:
        return f"at least {_number(low)}"
    if high is not None:
        return f"at most {_number(high)}"
    if "value" in kwargs:
        return _number(kwargs["value"])
    what = check.expectation.expectation_type.removeprefix("expect_").replace("_", " ")
    return f"{what}: {kwargs['column']}" if "column" in kwargs else what


def _number(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, float | Decimal):
        return f"{value:.4f}".rstrip("0").rstrip(".")
    return str(value)


def _exception(info: dict[str, Any]) -> str | None:
    """The message in a result's exception information, which comes in two shapes."""
    details = [info, *(value for value in info.values() if isinstance(value, dict))]
    for detail in details:
        if detail.get("raised_exception"):
            return str(detail.get("exception_message") or "It raised an exception.")
    return None


def _unjudged(stage: str, suite: str, error: str | Exception | None) -> CheckResult:
    text = _one_line(error)
    return CheckResult(
        stage=stage,
        suite=suite,
        check_name=WHOLE_SUITE,
        severity="critical",
        is_passed=False,
        observed="could not be judged",
        expected="a judgement",
        reason=f"What cannot be judged is not published: {text}",
        error=text,
    )


def _one_line(error: str | Exception | None) -> str:
    text = str(error) or type(error).__name__
    text = " ".join(text.strip().split("\n")[0].split())
    return text if len(text) <= LONGEST_ERROR else f"{text[:LONGEST_ERROR]}…"


def _refusal(result: CheckResult) -> str:
    where = f"{result.suite}, {result.check_name}"
    keys = f" For example: {', '.join(result.offending_keys)}." if result.offending_keys else ""
    return f"{where}: {result.reason} Observed {result.observed}, expected {result.expected}.{keys}"


def _unleaked(result: CheckResult) -> CheckResult:
    """`result` without the e-mail addresses, telephone numbers and the like it may quote.

    What fails a check may be the very identifier that must not be published, and results are.
    """
    if result.is_passed:
        return result
    observed, reason, error, *keys = identifiers.withheld(
        result.observed, result.reason, result.error or "", *result.offending_keys
    )
    return replace(
        result,
        observed=observed,
        reason=reason,
        offending_keys=tuple(keys),
        error=error or None,
    )
