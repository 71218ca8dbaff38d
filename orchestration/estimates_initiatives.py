"""Who is treated by which initiative, and what the initiatives did.

Holds what lies between initiatives.yml and the marts: the publisher's own queries, run over copies
of the marts, and the estimate. A query that cannot be run makes its initiative's row say so; it
fails no refresh.
"""

import math
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import duckdb
import numpy as np
import pyarrow as pa

from orchestration import initiative_queries, settings
from orchestration.estimates import ordered, table
from orchestration.estimators.difference_in_differences import Effect, Outcomes, estimate
from orchestration.initiatives import LIST, SQL
from orchestration.sources.files import literal

TREATED, CONTROL = "treated", "control"
# A query over the marts of a large publisher takes seconds; one that takes minutes is a mistake.
QUERY_SECONDS = 300
NOBODY = pa.chunked_array([], pa.string())
MEMBER_COLUMNS: Mapping[str, pa.DataType] = {
    "initiative_id": pa.string(),
    "customer_id": pa.string(),
    "arm": pa.string(),
    "problem": pa.string(),
}
EFFECT_COLUMNS: Mapping[str, pa.DataType] = {
    "initiative_id": pa.string(),
    "effect": pa.float64(),
    "standard_error": pa.float64(),
    "lower_bound": pa.float64(),
    "upper_bound": pa.float64(),
    "treated_customers": pa.int64(),
    "control_customers": pa.int64(),
    "treated_periods": pa.int64(),
    "periods_before": pa.int64(),
    "periods_after": pa.int64(),
    "pre_trend": pa.float64(),
    "pre_trend_p": pa.float64(),
    "placebo_effect": pa.float64(),
    "placebo_lower_bound": pa.float64(),
    "placebo_upper_bound": pa.float64(),
    "is_shown": pa.bool_(),
    "reason": pa.string(),
}


def members(
    session: duckdb.DuckDBPyConnection,
    initiatives: duckdb.DuckDBPyRelation,
    listed: duckdb.DuckDBPyRelation,
    marts: Mapping[str, str],
) -> pa.Table:
    """The customers that each initiative treats, and those it names as control.

    Args:
        session: The warehouse; no query of a publisher runs on it.
        initiatives: Rows of landing.initiatives.
        listed: Rows of stg_initiative_members.
        marts: The marts a query may name, and the relations they are.
    """
    parts: list[pa.Table] = []
    with session.cursor() as warehouse, _asker(warehouse, marts) as ask:
        for each in initiatives.order("all").to_arrow_table().to_pylist():
            for arm in (TREATED, CONTROL):
                rule = each[f"{arm}_rule"]
                if rule == LIST:
                    found = _on_list(listed, each["initiative_id"], arm)
                    problem = "" if len(found) else f"the list has nobody whose arm is {arm}"
                elif rule == SQL:
                    found, problem = ask(each[f"{arm}_sql"], arm)
                else:
                    continue
                parts.append(_part(each["initiative_id"], found, arm, problem))
    return pa.concat_tables([table(MEMBER_COLUMNS, []), *parts])


def _part(initiative: str, customers: pa.ChunkedArray, arm: str, problem: str) -> pa.Table:
    """The rows of an initiative's arm: its customers, or why there are none."""
    if problem:
        return table(MEMBER_COLUMNS, [(initiative, None, arm, problem)])
    count = len(customers)
    same = {
        name: pa.repeat(pa.scalar(value, MEMBER_COLUMNS[name]), count)
        for name, value in {"initiative_id": initiative, "arm": arm, "problem": None}.items()
    }
    columns = {**same, "customer_id": customers}
    return pa.table({name: columns[name] for name in MEMBER_COLUMNS})


def _on_list(listed: duckdb.DuckDBPyRelation, initiative: str, arm: str) -> pa.ChunkedArray:
    """The accounts of an initiative's list whose arm that is, in order."""
    own = f"initiative = {literal(initiative)}"
    rows = listed.filter(f"{own} and coalesce(nullif(arm, ''), '{TREATED}') = '{arm}'")
    found = rows.select("account_id").distinct().order("account_id").to_arrow_table()
    return found.column(0).cast(pa.string())


@contextmanager
def _asker(
    warehouse: duckdb.DuckDBPyConnection, marts: Mapping[str, str]
) -> Iterator[Callable[[str, str], tuple[pa.ChunkedArray, str]]]:
    """What asks a publisher's query for the customers of an arm.

    `arvo check` refuses what a query may not say. Whatever it says, it runs where there is nothing
    but the marts that queries name, as this refresh built them: no file, network or other table.
    """
    copied: set[str] = set()
    with _locked() as connection:

        def ask(text: str, arm: str) -> tuple[pa.ChunkedArray, str]:
            query = initiative_queries.read(text, connection)
            if query.problem:
                return NOBODY, f"the query for its {arm} customers {query.problem}"
            # Customers are needed whatever it names: nobody else can be treated.
            for mart in {"customers", *query.marts} - copied:
                _copy(warehouse, marts[mart], connection, mart)
                copied.add(mart)
            found, problem = _asked(connection, query.text)
            if problem:
                return NOBODY, f"the query for its {arm} customers {problem}"
            return found, ""

        yield ask


@contextmanager
def _locked() -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to an empty database in memory that can reach nothing else."""
    with (
        tempfile.TemporaryDirectory(prefix="arvo-initiatives-") as spill,
        duckdb.connect(config=settings.for_others_sql(spill)) as connection,
    ):
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(settings.NO_PROGRESS_BAR)
        connection.execute("set lock_configuration = true")
        yield connection


def _copy(
    warehouse: duckdb.DuckDBPyConnection,
    relation: str,
    connection: duckdb.DuckDBPyConnection,
    mart: str,
) -> None:
    """Copies a mart, some rows at a time; what does not fit into memory is spilled."""
    connection.register("incoming", warehouse.sql(f"from {relation}").to_arrow_reader())
    connection.execute(f"create table {mart} as from incoming")
    connection.unregister("incoming")


def _asked(connection: duckdb.DuckDBPyConnection, query: str) -> tuple[pa.ChunkedArray, str]:
    """The customers a query names, in order, and why there are none.

    What DuckDB says of a query that fails may hold values of the data: only what it says of names
    is told.
    """
    clock = threading.Timer(QUERY_SECONDS, connection.interrupt)
    clock.start()
    try:
        found = connection.sql(
            "select distinct cast(customer_id as varchar) as customer_id "
            f"from (\n{query}\n) where cast(customer_id as varchar) in "
            "(select customer_id from main.customers) order by 1"
        ).to_arrow_table()
    except duckdb.InterruptException:
        return NOBODY, f"was stopped after {QUERY_SECONDS:g} seconds"
    except (duckdb.BinderException, duckdb.CatalogException) as error:
        told = str(error).splitlines()[0].rstrip(".")
        return NOBODY, f"cannot be run: {told}"
    except duckdb.Error as error:
        kind = type(error).__name__.removesuffix("Exception")
        told = f"cannot be run ({kind}); `arvo sql` with the same query says why"
        return NOBODY, told
    finally:
        clock.cancel()
        clock.join()
    return found.column(0).cast(pa.string()), "" if len(found) else "finds nobody"


def effects(outcomes: duckdb.DuckDBPyRelation) -> pa.Table:
    """What each initiative with outcomes did.

    Args:
        outcomes: initiative_id, customer (a number), period, is_treated and value, one row for each
            customer and period.
    """
    names = outcomes.project("initiative_id").distinct().fetchall()
    return table(EFFECT_COLUMNS, [_effect(outcomes, name) for [name] in sorted(names)])


def _effect(outcomes: duckdb.DuckDBPyRelation, initiative: str) -> tuple[object, ...]:
    # One at a time: to sort the rows of all and pick them by name takes longer than the estimate.
    own = outcomes.filter(f"initiative_id = {literal(initiative)}")
    columns = ordered(own.project("period, customer, is_treated, value"))
    # Numbered anew: a digest of eight bytes is more than a float can hold.
    _, customer = np.unique(columns["customer"], return_inverse=True)
    found = estimate(
        Outcomes(
            customer.astype(np.int64),
            columns["period"].astype(np.int64),
            columns["is_treated"].astype(np.bool_),
            columns["value"].astype(np.float64),
        )
    )
    return initiative, *_row(found)


def _row(found: Effect) -> tuple[object, ...]:
    effect, trend, placebo = found.effect, found.pre_trend, found.placebo
    return (
        effect.value,
        effect.standard_error if not math.isnan(effect.value) else math.nan,
        effect.lower,
        effect.upper,
        found.treated_customers,
        found.control_customers,
        found.treated_periods,
        found.before,
        found.after,
        trend.value,
        trend.p,
        placebo.value,
        placebo.lower,
        placebo.upper,
        found.is_shown,
        found.reason or None,
    )
