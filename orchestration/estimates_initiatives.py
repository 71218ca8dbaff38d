"""Who is treated by which initiative, and what the initiatives did.

Holds what lies between initiatives.yml and the marts: the publisher's own queries, run over the
marts, and the estimate. A query that cannot be run makes its initiative's row say so; it fails no
refresh.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from orchestration.estimates import ordered, table
from orchestration.estimators.difference_in_differences import Effect, Outcomes, estimate
from orchestration.initiatives import LIST, SQL

TREATED, CONTROL = "treated", "control"
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
        session: The warehouse; queries run on a connection of their own to it.
        initiatives: Rows of landing.initiatives.
        listed: Rows of stg_initiative_members.
        marts: The marts a query may name, and the relations they are.
    """
    stated = initiatives.order("all").to_arrow_table().to_pylist()
    on_lists = listed.order("all").to_arrow_table().to_pylist() if stated else []
    rows: list[tuple[object, ...]] = []
    database = str(session.sql("select current_database()").fetchall()[0][0])
    with session.cursor() as own:
        # Nothing but these marts: what is not built before this may be of an earlier refresh.
        for name, relation in marts.items():
            own.execute(f"create or replace temp view {name} as from {database}.{relation}")
        for each in stated:
            own_rows = [row for row in on_lists if row["initiative"] == each["initiative_id"]]
            for arm in (TREATED, CONTROL):
                rule, query = each[f"{arm}_rule"], each[f"{arm}_sql"]
                if rule == LIST:
                    found = sorted(
                        {r["account_id"] for r in own_rows if (r["arm"] or TREATED) == arm}
                    )
                    problem = "" if found else f"the list has nobody whose arm is {arm}"
                elif rule == SQL:
                    found, problem = _asked(own, query, arm)
                else:
                    continue
                rows += [(each["initiative_id"], customer, arm, None) for customer in found]
                if problem:
                    rows.append((each["initiative_id"], None, arm, problem))
    return table(MEMBER_COLUMNS, rows)


def _asked(connection: duckdb.DuckDBPyConnection, query: str, arm: str) -> tuple[list[str], str]:
    """The customers a query names, in order, and why there are none."""
    try:
        found = connection.execute(
            f"select distinct customer_id from (\n{query}\n) where customer_id is not null "
            "order by customer_id"
        ).fetchall()
    except duckdb.Error as error:
        told = str(error).splitlines()[0].rstrip(".")
        return [], f"the query for its {arm} customers cannot be run: {told}"
    if not found:
        return [], f"the query for its {arm} customers finds nobody"
    return [str(customer) for (customer,) in found], ""


def effects(outcomes: duckdb.DuckDBPyRelation) -> pa.Table:
    """What each initiative with outcomes did.

    Args:
        outcomes: initiative_id, customer (a number), period, is_treated and value, one row for each
            customer and period.
    """
    columns = ordered(outcomes)
    return table(EFFECT_COLUMNS, list(_effects(columns)))


def _effects(columns: Mapping[str, np.ndarray[Any, Any]]) -> Iterator[tuple[object, ...]]:
    for name in sorted(set(columns["initiative_id"])):
        own = columns["initiative_id"] == name
        # Numbered anew: a digest of eight bytes is more than a float can hold.
        _, customer = np.unique(columns["customer"][own], return_inverse=True)
        found = estimate(
            Outcomes(
                customer.astype(np.int64),
                columns["period"][own].astype(np.int64),
                columns["is_treated"][own].astype(np.bool_),
                columns["value"][own].astype(np.float64),
            )
        )
        yield str(name), *_row(found)


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
