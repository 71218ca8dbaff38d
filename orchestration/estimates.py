"""What the models in Python share: aggregates in, small tables of parameters and curves out.

A model in Python (dbt_project/models/estimates) asks the warehouse for aggregates, calls the pure
functions of `estimators` through one function of this module, and leaves a small table that SQL
scores every row with. Input is put in order first: sums of floating-point numbers depend on it,
and equal landings must give equal estimates to the last digit.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from orchestration.estimators.fit import Fit, Parameter
from orchestration.estimators.inputs import Array

# A fit as rows: what the mart `estimates` unites.
FIT_COLUMNS: Mapping[str, pa.DataType] = {
    "estimator": pa.string(),
    "segment": pa.string(),
    "sample": pa.string(),
    "parameter": pa.string(),
    "value": pa.float64(),
    "standard_error": pa.float64(),
    "lower_bound": pa.float64(),
    "upper_bound": pa.float64(),
    "n": pa.float64(),
    "method": pa.string(),
    "reason": pa.string(),
}
# What a hold-out showed, a row a measure: what the mart `estimate_quality` unites.
QUALITY_COLUMNS: Mapping[str, pa.DataType] = {
    "estimator": pa.string(),
    "segment": pa.string(),
    "measure": pa.string(),
    "value": pa.float64(),
    "naive_value": pa.float64(),
    "n": pa.float64(),
    "calibration_end": pa.date32(),
    "holdout_end": pa.date32(),
    "is_used": pa.bool_(),
    "reason": pa.string(),
}
# The segment of a fit over all customers.
EVERYBODY = "(all)"
# What a fit saw: everything up to the as-of day, or up to the calibration end alone.
CURRENT, CALIBRATION = "current", "calibration"


@dataclass(frozen=True)
class Estimated:
    """A fit and what it is of: estimator, segment of customers, sample."""

    estimator: str
    segment: str
    sample: str
    fit: Fit


def ordered(relation: duckdb.DuckDBPyRelation) -> dict[str, np.ndarray[Any, Any]]:
    """The columns of a relation as numpy arrays, its rows in an order that leaves no tie.

    Decimals become floats, and null NaN; texts stay objects.
    """
    found = relation.order("all").to_arrow_table()
    arrays = {}
    for name, column in zip(found.column_names, found.columns, strict=True):
        if pa.types.is_decimal(column.type) or pa.types.is_integer(column.type):
            column = column.cast(pa.float64())
        arrays[name] = column.to_numpy(zero_copy_only=False)
    return arrays


def by_segment(
    columns: Mapping[str, np.ndarray[Any, Any]], key: str
) -> Iterator[tuple[str, dict[str, Array]]]:
    """The rows of each segment, segments in the order of their names."""
    for segment in sorted(set(columns[key])):
        rows = columns[key] == segment
        yield str(segment), {name: values[rows] for name, values in columns.items() if name != key}


def fit_table(estimates: Iterable[Estimated]) -> pa.Table:
    """The fits, a row a parameter; a fit without parameters is one row that says why.

    NaN, an unknown, becomes null.
    """
    rows = [row for estimated in estimates for row in _rows(estimated)]
    return table(FIT_COLUMNS, rows)


def _rows(estimated: Estimated) -> Iterator[tuple[object, ...]]:
    fit = estimated.fit
    parameters = fit.parameters or (Parameter("", math.nan),)
    for each in parameters:
        yield (
            estimated.estimator,
            estimated.segment,
            estimated.sample,
            each.name or None,
            each.value,
            each.standard_error,
            each.lower,
            each.upper,
            fit.n,
            fit.method,
            fit.reason or None,
        )


def table(columns: Mapping[str, pa.DataType], rows: Sequence[Sequence[object]]) -> pa.Table:
    """Rows as a typed table; NaN and infinities become null."""
    values = [[_finite(row[place]) for row in rows] for place in range(len(columns))]
    arrays = [
        pa.array(each, type=kind) for each, kind in zip(values, columns.values(), strict=True)
    ]
    return pa.table(arrays, names=list(columns))


def _finite(value: object) -> object:
    return None if isinstance(value, float | np.floating) and not math.isfinite(value) else value


def fits(columns: Mapping[str, np.ndarray[Any, Any]]) -> Iterator[Estimated]:
    """The fits that a table of `fit_table` holds: to compute curves from."""
    rows = list(zip(*(columns[name] for name in FIT_COLUMNS), strict=True))
    names = list(FIT_COLUMNS)
    keys = sorted({tuple(row[:3]) for row in rows})
    for key in keys:
        own = [dict(zip(names, row, strict=True)) for row in rows if tuple(row[:3]) == key]
        values = {r["parameter"]: float(r["value"]) for r in own if r["parameter"]}
        estimator, segment, sample = map(str, key)
        fit = Fit.known(str(own[0]["method"]), **values)
        yield Estimated(estimator, segment, sample, fit)
