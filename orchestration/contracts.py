"""The contracts of the feeds, read from the one file that states them.

Holds what a feed's rows must look like. Where a feed comes from is the publisher's business
(publisher.py); applying the rules to rows is landing's (landing.py).
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import yaml

from orchestration.settings import project_root

DEFAULT_TOLERATED_BAD_SHARE = 0.01
# Beyond any id or address; longer ones are free text, or two lines read as one.
DEFAULT_MAX_LENGTH = 2048
# Before the web there were no readers to measure.
DEFAULT_EARLIEST = "1990-01-01"

# Contract types are written so that DuckDB and Spark both read them; landing is DuckDB.
DUCKDB_TYPES = {"string": "varchar", "timestamp": "timestamp"}


@dataclass(frozen=True)
class Column:
    """One contract column and the rules a value of it must pass."""

    name: str
    data_type: str
    description: str
    required: bool = False
    pseudonym: str | None = None
    accepted_values: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    pattern: str | None = None
    max_length: int | None = None
    earliest: str = DEFAULT_EARLIEST
    not_future: bool = False
    not_before: str | None = None
    drop_query: bool = False

    @property
    def duckdb_type(self) -> str:
        """The column's type as DuckDB writes it."""
        return DUCKDB_TYPES.get(self.data_type, self.data_type)

    @property
    def is_id(self) -> bool:
        """Whether the column names a thing or a person."""
        return self.name.endswith("_id")


@dataclass(frozen=True)
class Contract:
    """One feed: its columns, its key and which copy of a repeated key stays."""

    feed: str
    description: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    wins: str
    time: str
    is_partitioned_by_day: bool
    one_of: tuple[str, ...]
    tolerated_bad_share: float

    def column(self, name: str) -> Column:
        """The column of that name; KeyError when the contract has none."""
        return next(column for column in self.columns if column.name == name)

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names of the columns in contract order."""
        return tuple(column.name for column in self.columns)


@cache
def contracts() -> dict[str, Contract]:
    """Contracts of all feeds by name, in the order the file lists them."""
    path = project_root() / "dbt_project" / "models" / "staging" / "_feeds.yml"
    source = yaml.safe_load(path.read_text(encoding="utf-8"))["sources"][0]
    return {table["name"]: _contract(table) for table in source["tables"]}


def _contract(table: dict[str, Any]) -> Contract:
    meta = table["config"]["meta"]
    return Contract(
        feed=table["name"],
        description=table["description"],
        columns=tuple(_column(column) for column in table["columns"]),
        key=tuple(meta["key"]),
        wins=meta["wins"],
        time=meta["time"],
        is_partitioned_by_day=meta.get("partition_by") == "day",
        one_of=tuple(meta.get("one_of", ())),
        tolerated_bad_share=meta.get("tolerated_bad_share", DEFAULT_TOLERATED_BAD_SHARE),
    )


def _column(column: dict[str, Any]) -> Column:
    meta = dict(column.get("config", {}).get("meta", {}))
    meta["accepted_values"] = tuple(meta.get("accepted_values", ()))
    return Column(
        name=column["name"],
        data_type=column["data_type"],
        description=column["description"],
        **meta,
    )
