"""A publisher's query runs where there is nothing but the marts it may read."""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from orchestration import estimates_initiatives

HIDDEN = "the key"


@pytest.fixture
def locked() -> Iterator[duckdb.DuckDBPyConnection]:
    """Where queries run, with two customers."""
    with estimates_initiatives._locked() as connection:
        connection.execute("create table customers as from (values ('b'), ('a')) t(customer_id)")
        yield connection


def asked(connection: duckdb.DuckDBPyConnection, query: str) -> tuple[list[str], str]:
    """Whom a query finds, and why nobody."""
    found, problem = estimates_initiatives._asked(connection, query)
    return found.to_pylist(), problem


def test_a_query_finds_customers_each_once_and_in_order(locked: duckdb.DuckDBPyConnection) -> None:
    query = "select customer_id from customers union all values ('a'), ('x'), (null) -- those"
    # x is no customer: nobody else can be treated.
    assert asked(locked, query) == (["a", "b"], "")
    assert asked(locked, "select 7 as customer_id") == ([], "finds nobody")


@pytest.mark.parametrize(
    ("query", "told"),
    [
        # What would be read without the check, which refuses all of these.
        ("select content as customer_id from read_text('{file}')", "cannot be run (Permission)"),
        ("select customer_id from '{file}'", "cannot be run (Permission); `arvo sql` with"),
        ("select customer_id from retention", "cannot be run: Catalog Error: Table with name ret"),
        ("select customer_id from secrets", "cannot be run: Catalog Error: Table with name sec"),
        # What it does not look for.
        ("select customer_id from customers where colour = 1", 'Binder Error: Referenced column "'),
        ("select colour from (select 1 as colour)", 'Binder Error: Referenced column "customer_id'),
        ("select st_area(customer_id) as customer_id from customers", "Catalog Error: Scalar Func"),
        # Texts that hold values of the data.
        ("select cast(customer_id as int) as customer_id from customers", "run (Conversion); `ar"),
        ("select error(customer_id) as customer_id from customers", "cannot be run (InvalidInput)"),
    ],
)
def test_a_query_reaches_nothing_else_and_no_value_is_told(
    locked: duckdb.DuckDBPyConnection, tmp_path: Path, query: str, told: str
) -> None:
    (tmp_path / "secret.csv").write_text(f"customer_id\n{HIDDEN}\n")
    # A name of this process that DuckDB would read a table from, if it were let.
    secrets = pa.table({"customer_id": ["a"]})
    found, problem = asked(locked, query.replace("{file}", str(tmp_path / "secret.csv")))
    assert len(secrets) == 1
    assert (found, told in problem) == ([], True), problem
    assert HIDDEN not in problem
    assert "'b'" not in problem


def test_a_query_without_an_end_is_stopped(
    locked: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(estimates_initiatives, "QUERY_SECONDS", 0.2)
    endless = "with recursive n as (select 1 as customer_id union all select 1 from n) from n"
    assert asked(locked, endless) == ([], "was stopped after 0.2 seconds")
    # Others run as before.
    assert asked(locked, "from customers") == (["a", "b"], "")


@pytest.mark.parametrize("statement", ["set memory_limit = '9GB'", "attach '{file}' as other"])
def test_nothing_opens_what_is_locked(
    locked: duckdb.DuckDBPyConnection, tmp_path: Path, statement: str
) -> None:
    with pytest.raises(duckdb.Error):
        locked.execute(statement.replace("{file}", str(tmp_path / "other.duckdb")))


def test_members_come_of_lists_and_queries_over_this_refreshs_marts() -> None:
    with duckdb.connect() as session:
        session.execute(
            """
            create schema marts;
            create table marts.customers as
                from (values ('b', 'FI'), ('a', 'FI'), ('c', 'SE')) t(customer_id, country);
            create table listed as from (values
                ('call', 'b', null), ('call', 'a', 'treated'), ('call', 'c', 'control'),
                ('call', 'b', 'treated'), ('other', 'c', null)) t(initiative, account_id, arm);
            create table initiatives as from (values
                ('call', 'list', null, 'list', null),
                ('finns', 'sql', 'from customers where country = ''FI'';', 'others', null),
                ('raw', 'sql', 'select account_id as customer_id from main.listed', 'list', null))
                t(initiative_id, treated_rule, treated_sql, control_rule, control_sql)
            """
        )
        found = estimates_initiatives.members(
            session,
            session.table("initiatives"),
            session.table("listed"),
            {"customers": "marts.customers"},
        )
    rows = [tuple(row.values()) for row in found.to_pylist()]
    told = (
        "the query for its treated customers reads main.listed, which it may not. It may read "
        "these marts and nothing else: churn_risk, customer_value, customer_value_monthly, "
        "customers, engagement, mrr_movements, social_value. Select from those."
    )
    assert rows == [
        ("call", "a", "treated", None),
        ("call", "b", "treated", None),
        ("call", "c", "control", None),
        ("finns", "a", "treated", None),
        ("finns", "b", "treated", None),
        ("raw", None, "treated", told),
        ("raw", None, "control", "the list has nobody whose arm is control"),
    ]
