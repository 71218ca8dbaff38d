"""Small hand-made databases, laid out as a refresh lays them out."""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pytest

from orchestration import warehouse
from orchestration.contracts import contracts
from orchestration.settings import Home
from quality import gate
from quality.gate import CheckResult, Verdict
from quality.suite import Suite, Unbuilt

AS_OF_DAY = dt.date(2024, 3, 31)
BATCHES = (
    "feed varchar, batch_id varchar, source_name varchar, landed_rows bigint, "
    "quarantined_rows bigint, first_day date, last_day date"
)


def insert(connection: duckdb.DuckDBPyConnection, table: str, *rows: Mapping[str, Any]) -> None:
    """Insert rows given by column name; columns left out are null."""
    for row in rows:
        marks = ", ".join("?" for _ in row)
        connection.execute(
            f"insert into {table} ({', '.join(row)}) values ({marks})", list(row.values())
        )


def make_landing(connection: duckdb.DuckDBPyConnection) -> None:
    """The empty schema `landing` of a refresh as of 31 March 2024 in Helsinki, in euros."""
    connection.execute("create schema landing")
    for contract in contracts().values():
        empty = warehouse.feed_sql(contract, Home(Path()), [])
        connection.execute(f"create table landing.{contract.feed} as {empty}")
    connection.execute(
        """
        create table landing.refresh as select
            'r1' as refresh_id,
            timestamp '2024-04-01 03:00:00' as started_at,
            date '2024-03-31' as as_of_day,
            timestamp '2024-03-31 21:00:00' as as_of_end_at,
            'Europe/Helsinki' as time_zone,
            'EUR' as currency,
            30::bigint as grace_days
        """
    )
    connection.execute("create table landing.feeds (feed varchar, is_configured boolean)")
    for feed in contracts():
        insert(connection, "landing.feeds", {"feed": feed, "is_configured": False})
    connection.execute(f"create table landing.batches ({BATCHES})")
    connection.execute("create table landing.new_batches (feed varchar, batch_id varchar)")
    connection.execute(
        "create table landing.daily_rows (feed varchar, day date, row_count bigint, is_new boolean)"
    )
    connection.execute(
        "create table landing.quarantine "
        "(feed varchar, batch_id varchar, row_hash varchar, reasons varchar)"
    )


def add_batch(
    connection: duckdb.DuckDBPyConnection,
    feed: str,
    batch_id: str,
    *,
    is_new: bool,
    landed: int = 1,
    quarantined: int = 0,
    first_day: dt.date = AS_OF_DAY,
    last_day: dt.date = AS_OF_DAY,
) -> None:
    """One landed batch of a feed, which thereby is configured."""
    connection.execute("update landing.feeds set is_configured = true where feed = ?", [feed])
    insert(
        connection,
        "landing.batches",
        {
            "feed": feed,
            "batch_id": batch_id,
            "source_name": f"{batch_id}.csv",
            "landed_rows": landed,
            "quarantined_rows": quarantined,
            "first_day": first_day,
            "last_day": last_day,
        },
    )
    if is_new:
        insert(connection, "landing.new_batches", {"feed": feed, "batch_id": batch_id})


def failed(verdict: Verdict) -> set[tuple[str, str]]:
    """Suite and check of everything that failed."""
    return {(r.suite, r.check_name) for r in verdict.results if not r.is_passed}


def result(verdict: Verdict, suite: str, check: str) -> CheckResult:
    """The one result of that check."""
    [found] = [r for r in verdict.results if (r.suite, r.check_name) == (suite, check)]
    return found


@pytest.fixture
def landed() -> Iterator[duckdb.DuckDBPyConnection]:
    """A warehouse, in memory, with an empty landing."""
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        make_landing(connection)
        yield connection


def judged_landing(connection: duckdb.DuckDBPyConnection, suite: str | None = None) -> Verdict:
    """The verdict of landing's suites, or of the one suite named."""
    from quality import landing

    def suites(connection: duckdb.DuckDBPyConnection) -> Sequence[Suite | Unbuilt]:
        return [each for each in landing.suites(connection) if suite in (None, each.name)]

    return gate.judge("landing", suites, connection)
