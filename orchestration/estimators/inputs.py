"""The checks every estimator makes of its arrays, and the errors that name the fix.

Holds nothing statistical. An array that passes is a fresh float64 vector without nulls; whether
there is enough of it for a model is the model's own business, and never an error.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


def vectors(**columns: ArrayLike) -> tuple[Array, ...]:
    """The columns as finite float64 vectors of one length.

    Args:
        columns: Name → 1-D values, shape (m,) each; a single value stands for all m rows.

    Returns:
        Vectors of shape (m,) in the order they were given.

    Raises:
        ValueError: A column has more than one dimension, another length, or a value that is
            missing or infinite.
    """
    given = {name: np.asarray(values, dtype=np.float64) for name, values in columns.items()}
    for name, values in given.items():
        if values.ndim > 1:
            raise ValueError(
                f"{name} has {values.ndim} dimensions: give one value a row, shape (m,)."
            )
        require(np.isfinite(values), f"{name} is null or infinite", "leave such rows out", values)
    lengths = {values.size for values in given.values()} - {1}
    if len(lengths) > 1:
        sizes = ", ".join(f"{name} {values.size}" for name, values in given.items())
        raise ValueError(f"Columns differ in length ({sizes}): give one value a row in each.")
    size = lengths.pop() if lengths else 1
    return tuple(np.array(np.broadcast_to(values, (size,))) for values in given.values())


def require(holds: Mask, wrong: str, fix: str, *values: Array) -> None:
    """Refuses an input of which one row breaks a rule.

    Args:
        holds: Whether each row keeps the rule, shape (m,).
        wrong: What a row that does not is.
        fix: What the caller should do.
        values: The columns the rule is about; the message shows the first bad row of them.

    Raises:
        ValueError: A row breaks the rule.
    """
    rows = np.flatnonzero(~np.atleast_1d(holds))
    if rows.size:
        row = int(rows[0])
        shown = ", ".join(f"{np.atleast_1d(column)[row]:g}" for column in values)
        raise ValueError(f"Row {row} ({shown}; {rows.size} such rows): {wrong}. Do: {fix}.")


def require_counts(**columns: Array) -> None:
    """Refuses negative counts.

    Args:
        columns: Name → counts, shape (m,); fractions are allowed, as weights.

    Raises:
        ValueError: A count is negative.
    """
    for name, values in columns.items():
        require(values >= 0, f"{name} is negative", "count rows, from 0 up", values)


def require_between(low: float, high: float, **numbers: float) -> None:
    """Refuses a number outside an open interval.

    Args:
        low: Lower end, excluded.
        high: Upper end, excluded.
        numbers: Name → number.

    Raises:
        ValueError: A number lies outside, or is not a number.
    """
    for name, number in numbers.items():
        if not low < number < high:
            raise ValueError(
                f"{name} = {number:g} does not lie between {low:g} and {high:g} (both excluded): "
                "check its unit."
            )


def summed(index: NDArray[np.intp], weights: Array, size: int) -> Array:
    """Weights added up by group.

    Args:
        index: Group 0 … size−1 of each row, shape (m,).
        weights: What is added, shape (m,).
        size: How many groups there are, k.

    Returns:
        Sums, shape (k,).
    """
    return np.asarray(np.bincount(index, weights=weights, minlength=size), dtype=np.float64)


def too_few(found: Mapping[str, float], needed: Mapping[str, float]) -> str:
    """What a model lacks, as a reason says it; empty when it lacks nothing.

    Args:
        found: What is counted → how many there are.
        needed: What is counted → the fewest the model is fitted on.
    """
    short = [
        f"{found[what]:g} {what} where {least:g} are needed"
        for what, least in needed.items()
        if found[what] < least
    ]
    return ", ".join(short)
