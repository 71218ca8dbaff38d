"""What a query of initiatives.yml may say, told before anything runs.

Holds the reading of a query: what of it would make the marts depend on anything but landing,
configuration and as-of date, or read what is not a reader's to see. Running it, where it could do
none of that either, is estimates_initiatives.py's.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import duckdb

# What a query may read: marts that are built before the initiatives are looked at. The model
# assign_initiatives waits for them.
MARTS = (
    "churn_risk",
    "customer_value",
    "customer_value_monthly",
    "customers",
    "engagement",
    "mrr_movements",
    "social_value",
)
# DuckDB takes these for functions where no column is called so.
CALLED_WITHOUT_BRACKETS = frozenset(
    {
        "current_catalog",
        "current_date",
        "current_role",
        "current_schema",
        "current_time",
        "current_timestamp",
        "current_user",
        "localtime",
        "localtimestamp",
        "session_user",
        "user",
    }
)
# Functions that change from one run to the next although DuckDB's catalog does not say so.
CHANGE_UNTOLD = frozenset(
    {
        "ago",
        "current_localtime",
        "current_localtimestamp",
        "pg_conf_load_time",
        "pg_postmaster_start_time",
        "pg_sleep",
        "reservoir_quantile",
        "version",
    }
)
READS_ONLY = frozenset({"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"})
# Windows whose answer is another one when the rows come in another order.
BY_PLACE = frozenset(
    f"WINDOW_{name}"
    for name in ("ROW_NUMBER", "NTILE", "LAG", "LEAD", "FIRST_VALUE", "LAST_VALUE", "NTH_VALUE")
)
ONE_SELECT = "Write one select with a column customer_id, over the marts."
THE_SAME_AGAIN = "The same data must always give the same marts: choose by columns of the marts"

_Node = Mapping[str, Any]


@dataclass(frozen=True)
class Query:
    """A query as it was read.

    Attributes:
        text: It, without the semicolon that ends it.
        marts: The marts it names.
        problem: Why it may not be run, in words that follow "the query"; empty when it may.
    """

    text: str
    marts: tuple[str, ...] = ()
    problem: str = ""


def read(text: str, parser: duckdb.DuckDBPyConnection) -> Query:
    """What a query reads, and what of it may not be.

    Args:
        text: The query.
        parser: A connection; nothing is run on it, and it may be to nothing.
    """
    text = _alone(text)
    try:
        [(tree,)] = parser.execute("select json_serialize_sql(?)", [text]).fetchall()
        parsed = json.loads(tree)
    except (duckdb.Error, RecursionError):
        return Query(text, problem=f"cannot be run (it is nested too deeply). {ONE_SELECT}")
    if parsed.get("error"):
        # Only a select can be put into words like this: nothing else passes.
        told = str(parsed.get("error_message", "it does not parse")).splitlines()[0]
        return Query(text, problem=f"cannot be run ({told}). {ONE_SELECT}")
    statements = parsed["statements"]
    if len(statements) != 1:
        told = f"it holds {len(statements) or 'no'} statements"
        return Query(text, problem=f"cannot be run ({told}). {ONE_SELECT}")
    nodes = list(_nodes(statements[0]))
    # Where each is known does not matter: one that is named elsewhere is not found on running.
    own = {str(entry["key"]).lower() for node in nodes for entry in _defined(node)}
    named = {str(node["table_name"]).lower() for node in nodes if node.get("type") == "BASE_TABLE"}
    problem = next(filter(None, (_problem(node, own) for node in nodes)), "")
    return Query(text, tuple(mart for mart in MARTS if mart in named), problem)


def _alone(text: str) -> str:
    """The text without semicolons at its ends: inside another query it would not parse."""
    # Places are counted in bytes.
    data = text.encode()
    tokens = [place for place, kind in duckdb.tokenize(text) if kind != duckdb.token_type.comment]
    starts, ends = 0, len(data)
    while tokens and data[tokens[-1] : tokens[-1] + 1] == b";":
        ends = tokens.pop()
    while tokens and data[tokens[0] : tokens[0] + 1] == b";":
        starts = tokens.pop(0) + 1
    return data[starts:ends].decode().strip()


def _nodes(root: object) -> Iterator[_Node]:
    """Every node of the tree, in the order of the text."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield node
            waiting += reversed(node.values())
        elif isinstance(node, list):
            waiting += reversed(node)


def _defined(node: _Node) -> list[_Node]:
    """What a node defines by `with`."""
    known = node.get("cte_map")
    return list(known["map"]) if isinstance(known, dict) else []


def _problem(node: _Node, own: set[str]) -> str:
    """What of a node may not be; empty when all may."""
    kind = str(node.get("type") or "")
    if kind.endswith("_NODE") and kind not in READS_ONLY:
        return f"changes something ({kind.partition('_')[0].lower()}). {ONE_SELECT}"
    if kind == "TABLE_FUNCTION":
        name = node["function"]["function_name"]
        return f"calls {name}, a function that makes a table. {_may_read()}"
    if kind == "SHOW_REF":
        return f"describes a table. {ONE_SELECT}"
    if kind == "BASE_TABLE":
        name = ".".join(node["qualified_name"]["path"])
        if name.lower() not in own and name.lower() not in MARTS:
            return f"reads {name}, which it may not. {_may_read()}"
    if node.get("class") == "PARAMETER":
        return f"leaves a value open (${node['identifier']}). Write the value."
    return _changing(node) or _disorderly(node)


def _may_read() -> str:
    return f"It may read these marts and nothing else: {', '.join(MARTS)}. Select from those."


def _changing(node: _Node) -> str:
    """What of a node would say something else in another run."""
    if isinstance(node.get("sample"), dict):
        return (
            f"takes a sample, which is another one every time. {THE_SAME_AGAIN}, such as "
            "left(md5(customer_id), 1) = '0' for a sixteenth."
        )
    name = ""
    if node.get("class") in ("FUNCTION", "WINDOW"):
        name = str(node["function_name"]).lower()
        # The age of one instant is its age now.
        if name not in _unstable() and (name != "age" or len(node["arguments"]) > 1):
            return ""
    elif node.get("class") == "COLUMN_REF" and len(node["column_names"]) == 1:
        name = str(node["column_names"][0]).lower()
        if name not in CALLED_WITHOUT_BRACKETS:
            return ""
    return (
        f"calls {name}, which depends on more than the data. {THE_SAME_AGAIN}, and write days and "
        "other values in full."
        if name
        else ""
    )


@cache
def _unstable() -> frozenset[str]:
    """Names of the functions that may say something else in another run."""
    with duckdb.connect() as catalog:
        told = catalog.execute(
            "select distinct function_name from duckdb_functions() "
            "where stability in ('VOLATILE', 'CONSISTENT_WITHIN_QUERY')"
        ).fetchall()
    return frozenset(name for (name,) in told) | CALLED_WITHOUT_BRACKETS | CHANGE_UNTOLD


def _disorderly(node: _Node) -> str:
    """What of a node depends on the order of rows that are in none."""
    modifiers = node.get("modifiers") or []
    kinds = {str(each["type"]) for each in modifiers}
    is_cut = any(kind.startswith("LIMIT") for kind in kinds) or any(
        each.get("distinct_on_targets") for each in modifiers
    )
    is_cut = is_cut and "ORDER_MODIFIER" not in kinds
    is_placed = node.get("type") in BY_PLACE and not (node["orders"] or node["arg_orders"])
    if not is_cut and not is_placed:
        return ""
    return (
        "keeps the first rows of an order that it does not give. The same data must always give "
        "the same marts: add order by with columns that leave no tie, such as customer_id."
    )
