"""Whether customers who were active bought more often afterwards: ratios from counts.

Holds what the mart activity_purchase_lift says beside its counts. It measures association; nothing
in this module says that one thing causes another.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from orchestration.estimates import ordered, table
from orchestration.estimators.risk_ratio import (
    FALLBACK,
    Ratio,
    e_value,
    e_value_of_limit,
    mantel_haenszel,
    risk_ratio,
)

CRUDE, STRATIFIED = "(crude)", "(stratified)"
# a, n1, c, n0 of the formulas.
COUNTS = ("exposed_purchasers", "exposed_customers", "unexposed_purchasers", "unexposed_customers")
# With fewer cases than this in a group, the logarithm of a ratio is far from normal.
FEW_CASES = 5
ROUGH = f"fewer than {FEW_CASES} purchasers in a group: the interval is rough"
COLUMNS: Mapping[str, pa.DataType] = {
    "activity": pa.string(),
    "stratification": pa.string(),
    "stratum": pa.string(),
    **dict.fromkeys(COUNTS, pa.int64()),
    "association": pa.float64(),
    "lower_bound": pa.float64(),
    "upper_bound": pa.float64(),
    "e_value": pa.float64(),
    "e_value_of_limit": pa.float64(),
    "block_count": pa.int64(),
    "method": pa.string(),
    "reason": pa.string(),
}
Columns = Mapping[str, np.ndarray[Any, Any]]


def associations(counts: duckdb.DuckDBPyRelation) -> pa.Table:
    """Risk ratios of every activity: crude, in each stratum, and stratified.

    A customer counts once a block until he buys. Nobody buys for the first time twice, so that
    the purchases of different blocks are as good as independent, and n is customers times blocks
    (person-periods: Allison, *Sociological Methodology* 13, 1982). The stratified ratio compares
    only within a stratum of a block, so that neither months that differ nor customers who drop
    out by buying tilt it.

    Args:
        counts: activity, stratification, stratum, block_start_day and the four COUNTS; one row
            per combination of the first four. A stratum of null asks for what was not counted.

    Returns:
        A table of COLUMNS: a row "(crude)", a row for every stratum and a row "(stratified)" of
        each activity and stratification. The counts of "(stratified)" are those of the strata
        and blocks that have both groups, which alone say something.
    """
    columns = ordered(counts)
    keys = sorted(set(zip(columns["activity"], columns["stratification"], strict=True)))
    rows = []
    for activity, stratification in keys:
        own = (columns["activity"] == activity) & (columns["stratification"] == stratification)
        rows += [
            (activity, stratification, *row)
            for row in _rows({name: values[own] for name, values in columns.items()})
        ]
    return table(COLUMNS, rows)


def _rows(columns: Columns) -> Iterator[tuple[object, ...]]:
    """Stratum, counts and ratio of one activity and stratification, blocks together."""
    if any(stratum is None for stratum in columns["stratum"]):
        yield (CRUDE, *[None] * len(COUNTS), *[None] * 6, FALLBACK, None)
        return
    yield (CRUDE, *_crude(columns))
    # Channels may be thousands: their rows are put beside each other once.
    strata, which = np.unique(columns["stratum"].astype(str), return_inverse=True)
    order = np.argsort(which, kind="stable")
    ends = np.searchsorted(which[order], np.arange(strata.size), side="right")
    for stratum, rows in zip(strata.tolist(), np.split(order, ends[:-1]), strict=True):
        yield (stratum, *_crude({name: values[rows] for name, values in columns.items()}))
    both = (columns["exposed_customers"] > 0) & (columns["unexposed_customers"] > 0)
    compared = {name: values[both] for name, values in columns.items()}
    cases, exposed, other_cases, others = (compared[name] for name in COUNTS)
    ratio = mantel_haenszel(cases, exposed, other_cases, others)
    yield (STRATIFIED, *_described(compared, ratio))


def _crude(columns: Columns) -> tuple[object, ...]:
    return _described(columns, risk_ratio(*(float(columns[name].sum()) for name in COUNTS)))


def _described(columns: Columns, ratio: Ratio) -> tuple[object, ...]:
    """Counts, ratio, interval, E-values, number of blocks, method and reason."""
    totals = [int(columns[name].sum()) for name in COUNTS]
    reason = ratio.reason
    if ratio.method != FALLBACK and min(totals[0], totals[2]) < FEW_CASES:
        reason = f"{reason}; {ROUGH}" if reason else ROUGH
    return (
        *totals,
        ratio.estimate,
        ratio.lower,
        ratio.upper,
        e_value(ratio.estimate),
        e_value_of_limit(ratio),
        len(set(columns["block_start_day"].tolist())),
        ratio.method,
        reason or None,
    )
