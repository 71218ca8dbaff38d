"""How well a score does on customers it was not fitted on.

Holds the measures that stand beside published probabilities: whether they rank (AUC), how far
they are off (Brier) against saying the same of everybody (skill), and whether they mean what they
say (calibration). Scores and outcomes come as arrays with counts.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from orchestration.estimators.inputs import Array, require, require_counts, summed, vectors
from orchestration.estimators.logistic import calibration_line


@dataclass(frozen=True)
class Quality:
    """What the hold-out says of a score.

    Attributes:
        n: Customers.
        churned: Of them churned.
        expected: Churned that the scores add up to; `churned` when calibrated in the large.
        auc: Chance that a churned customer scores above a stayed one, ties half; NaN without
            both.
        brier: Mean squared distance of score and outcome; 0 is perfect.
        brier_skill: Part of the reference's Brier score that the score takes away; 0 is no
            better, NaN when the reference is perfect.
        calibration_intercept: Of the calibration line; 0 is right, NaN when there is no line.
        calibration_slope: Its slope; 1 is right, below 1 the score exaggerates.
    """

    n: float
    churned: float
    expected: float
    auc: float
    brier: float
    brier_skill: float
    calibration_intercept: float
    calibration_slope: float


def quality(
    chance: ArrayLike, churned: ArrayLike, reference: float, count: ArrayLike = 1.0
) -> Quality:
    """All measures of a score on a hold-out.

    Args:
        chance: The score's probabilities, between 0 and 1, shape (m,).
        churned: Customers of the row that churned, shape (m,).
        reference: What would be said of everybody without the score: the share that churned
            among the customers fitted on, not among these.
        count: Customers of the row, shape (m,).

    Returns:
        The measures; those that these customers cannot give are NaN.

    Raises:
        ValueError: A probability is not between 0 and 1, there is nobody, or more churned than
            there were.
    """
    p, lost, customers = _scored(chance, churned, count)
    intercept, slope, _ = calibration_line(p, lost, customers)
    return Quality(
        n=float(customers.sum()),
        churned=float(lost.sum()),
        expected=float(customers @ p),
        auc=auc(p, lost, customers),
        brier=brier(p, lost, customers),
        brier_skill=brier_skill(p, lost, reference, customers),
        calibration_intercept=intercept.value,
        calibration_slope=slope.value,
    )


def auc(chance: ArrayLike, churned: ArrayLike, count: ArrayLike = 1.0) -> float:
    """Area under the ROC curve: P(score of a churned > of a stayed) + ½ P(equal).

    The Mann–Whitney statistic over pairs (Hanley & McNeil, *Radiology* 143, 1982).

    Args:
        chance: Scores; only their order matters, shape (m,).
        churned: Customers of the row that churned, shape (m,).
        count: Customers of the row, shape (m,).

    Returns:
        Between 0 and 1; .5 ranks nothing; NaN when nobody or everybody churned.

    Raises:
        ValueError: There is nobody, or more churned than there were.
    """
    p, lost, customers = _scored(chance, churned, count)
    levels, index = np.unique(p, return_inverse=True)
    gone = summed(index, lost, levels.size)
    stayed = summed(index, customers - lost, levels.size)
    pairs = float(gone.sum() * stayed.sum())
    below = np.cumsum(stayed) - stayed
    return float(gone @ (below + stayed / 2)) / pairs if pairs else math.nan


def brier(chance: ArrayLike, churned: ArrayLike, count: ArrayLike = 1.0) -> float:
    """Mean squared distance of score and outcome (Brier, *Monthly Weather Review* 78, 1950).

    Args:
        chance: Probabilities, shape (m,).
        churned: Customers of the row that churned, shape (m,).
        count: Customers of the row, shape (m,).

    Returns:
        Between 0 (perfect) and 1.

    Raises:
        ValueError: There is nobody, or more churned than there were.
    """
    p, lost, customers = _scored(chance, churned, count)
    return float((lost @ (1 - p) ** 2 + (customers - lost) @ p**2) / customers.sum())


def brier_skill(
    chance: ArrayLike, churned: ArrayLike, reference: float, count: ArrayLike = 1.0
) -> float:
    """Part of the reference's Brier score that the score takes away: 1 − Brier/Brier(reference).

    Args:
        chance: Probabilities, shape (m,).
        churned: Customers of the row that churned, shape (m,).
        reference: What would be said of everybody without the score, between 0 and 1.
        count: Customers of the row, shape (m,).

    Returns:
        1 perfect, 0 no better, below 0 worse; NaN when the reference is perfect.

    Raises:
        ValueError: There is nobody, or more churned than there were.
    """
    without = brier(np.full(np.size(churned), reference), churned, count)
    return 1 - brier(chance, churned, count) / without if without else math.nan


def _scored(chance: ArrayLike, churned: ArrayLike, count: ArrayLike) -> tuple[Array, Array, Array]:
    p, lost, customers = vectors(chance=chance, churned=churned, count=count)
    require_counts(churned=lost, count=customers)
    require(lost <= customers, "more churned than there were", "count both alike", lost, customers)
    if not customers.sum():
        raise ValueError("A hold-out of nobody measures nothing: leave customers out of the fit.")
    return p, lost, customers
