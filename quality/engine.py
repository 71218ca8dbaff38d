"""Great Expectations on the connection the pipeline already holds.

Holds the adapter only: how expectations reach DuckDB without a second file handle, a copy or
a lock. What is expected belongs to landing.py and marts.py, the verdict to gate.py. Importing
great_expectations takes seconds, so it happens inside functions, when the gate needs it.
"""

import atexit
import logging
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import duckdb

from orchestration.settings import silence_telemetry

if TYPE_CHECKING:
    from great_expectations.core import ExpectationSuiteValidationResult
    from great_expectations.datasource.fluent import SQLDatasource
    from great_expectations.expectations.expectation import Expectation

FETCH_LIMIT = 10_000
_SOURCE = "duckdb"


class TooManyRowsError(RuntimeError):
    """An expectation asked for more rows than a check should bring into Python."""

    def __init__(self) -> None:
        """Say how many rows were too many and what to do instead."""
        super().__init__(
            f"The check fetched more than {FETCH_LIMIT:,} rows; let SQL aggregate them and judge "
            "the aggregate."
        )


@dataclass
class _Lease:
    """The pipeline's connection, lent to Great Expectations.

    Great Expectations keeps its engines for the life of the process: emptied at the end, the
    lease keeps them from keeping the connection open.
    """

    connection: duckdb.DuckDBPyConnection | None
    may_cut: bool = False

    def held(self) -> duckdb.DuckDBPyConnection:
        """The connection, while it is lent."""
        if self.connection is None:
            raise RuntimeError("The examination is over; its connection was given back.")
        return self.connection


@dataclass(frozen=True)
class Examination:
    """Great Expectations at work on one connection; `opened` makes it."""

    source: "SQLDatasource"
    lease: _Lease

    def validate(
        self,
        name: str,
        query: str,
        expectations: Sequence["Expectation"],
        key: tuple[str, ...] = (),
    ) -> "ExpectationSuiteValidationResult":
        """Judge the rows of `query` by `expectations`.

        Args:
            name: Names the rows in Great Expectations' messages.
            query: A select statement.
            expectations: Each is judged once; results come in no particular order.
            key: Columns that identify a row. With them the result lists keys of rows that
                fail; without, it counts them, which costs less. The list may be cut.
        """
        from great_expectations import ExpectationSuite

        detail: dict[str, Any] = {"result_format": "SUMMARY"}
        if key:
            detail = {"result_format": "COMPLETE", "unexpected_index_column_names": list(key)}
        self.lease.may_cut = bool(key)
        suite = ExpectationSuite(name=name, expectations=list(expectations))
        with _quiet():
            asset = self.source.add_query_asset(name=name, query=query)
            try:
                batch = asset.add_batch_definition_whole_table(name).get_batch()
                return batch.validate(suite, result_format=detail)
            finally:
                self.source.delete_asset(name)


@contextmanager
def opened(connection: duckdb.DuckDBPyConnection) -> Iterator[Examination]:
    """Great Expectations on `connection` itself, not on a copy or a second handle.

    It sees what the connection sees, temporary tables and attached databases included. It
    leaves the connection open and its transaction, if there is one, alone.

    Args:
        connection: An open connection; nothing else may use it meanwhile.
    """
    lease = _Lease(connection)
    with _quiet():
        context = _new_context()
        source = context.data_sources.add_sql(
            name=_SOURCE,
            connection_string="duckdb://",
            kwargs={"creator": lambda: _wrapped(lease), "poolclass": _static_pool()},
        )
    try:
        yield Examination(source, lease)
    finally:
        context.data_sources.delete(_SOURCE)
        lease.connection = None


@cache
def no_rows_expectation() -> type["Expectation"]:
    """The class of an expectation that a query over `{batch}` counts no row.

    Great Expectations' own UnexpectedRowsExpectation runs its query twice, once for the count
    and once for the rows; the rows are wanted only when the count is not zero.
    """
    import great_expectations.expectations as gxe

    class ExpectQueryToReturnNoRows(gxe.UnexpectedRowsExpectation):
        metric_dependencies = ("unexpected_rows_query.row_count",)

        def _validate(
            self,
            metrics: dict[str, Any],
            runtime_configuration: dict[str, Any] | None = None,
            execution_engine: Any = None,
        ) -> dict[str, Any]:
            count = metrics["unexpected_rows_query.row_count"]
            return {"success": count == 0, "result": {"observed_value": count}}

    return ExpectQueryToReturnNoRows


def _new_context() -> Any:
    silence_telemetry()
    import great_expectations
    from great_expectations.data_context.types.base import (
        DataContextConfig,
        InMemoryStoreBackendDefaults,
        ProgressBarsConfig,
    )

    _forget_duckdb_engine_at_exit()
    # Its own default makes a temporary folder for pages nobody asks for; killed, it stays.
    kept_in_memory = DataContextConfig(store_backend_defaults=InMemoryStoreBackendDefaults())
    context = great_expectations.get_context(mode="ephemeral", project_config=kept_in_memory)
    context.enable_analytics(enable=False)
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    # Every asset made or deleted would write the whole project as YAML, to nowhere: a third of the
    # gate's time.
    context._save_project_config = lambda *arguments: None
    return context


@cache
def _forget_duckdb_engine_at_exit() -> None:
    """Keep DuckDB from complaining of leaks on standard error when the process ends.

    Something great_expectations imports keeps duckdb-engine's modules beyond the interpreter's
    end, and they keep DuckDB's. Emptied, they keep nothing.
    """
    atexit.register(_forget_duckdb_engine)


def _forget_duckdb_engine() -> None:
    for name, module in list(sys.modules.items()):
        if name.split(".")[0] == "duckdb_engine":
            vars(module).clear()


def _static_pool() -> type:
    from sqlalchemy.pool import StaticPool

    return StaticPool


def _wrapped(lease: _Lease) -> Any:
    """The leased connection as duckdb-engine wants it, with the two repairs it needs.

    Great Expectations closes a result before fetching from it, upon which DuckDB drops the
    rows: so the cursor fetches when it executes. And the pipeline owns the transaction and
    the connection: so begin, commit, rollback and close do nothing.
    """
    from duckdb_engine import ConnectionWrapper, CursorWrapper

    class Cursor(CursorWrapper):
        def __init__(self, wrapper: Any) -> None:
            super().__init__(lease.connection, wrapper)
            self.description: Any = None
            self._rows: list[Any] = []
            self._is_cut = False

        def execute(self, statement: str, parameters: Any = None, context: Any = None) -> None:
            super().execute(statement, parameters, context)
            connection = lease.held()
            self.description = connection.description
            # To learn the columns Great Expectations selects whole tables: never fetch all.
            rows = connection.fetchmany(FETCH_LIMIT + 1) if self.description else []
            self._is_cut = len(rows) > FETCH_LIMIT and not lease.may_cut
            self._rows = rows[:FETCH_LIMIT]

        def fetchone(self) -> Any:
            rows = self.fetchmany(1)
            return rows[0] if rows else None

        def fetchmany(self, size: int | None = None) -> list[Any]:
            size = 1 if size is None else size
            if self._is_cut and size > len(self._rows):
                raise TooManyRowsError
            rows, self._rows = self._rows[:size], self._rows[size:]
            return rows

        def fetchall(self) -> list[Any]:
            if self._is_cut:
                raise TooManyRowsError
            return self.fetchmany(len(self._rows))

    class Connection(ConnectionWrapper):
        def cursor(self) -> Cursor:
            return Cursor(self)

        def begin(self) -> None:
            pass

        def commit(self) -> None:
            pass

        def rollback(self) -> None:
            pass

        def close(self) -> None:
            pass

    return Connection(lease.connection)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what Great Expectations tells its developers off the user's terminal."""
    logger = logging.getLogger("great_expectations")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
