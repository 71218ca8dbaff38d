"""What every estimator refuses, and how it says so."""

import numpy as np
import pytest

from orchestration.estimators import inputs


def test_a_single_value_stands_for_every_row() -> None:
    first, second = inputs.vectors(first=[1, 2, 3], second=1)
    assert first.tolist() == [1, 2, 3]
    assert second.tolist() == [1, 1, 1]


def test_columns_of_different_length_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"length \(age 2, count 3\)"):
        inputs.vectors(age=[1, 2], count=[1, 2, 3])


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_a_missing_value_is_refused_with_its_row(wrong: float) -> None:
    with pytest.raises(ValueError, match="Row 1 .* age is null or infinite. Do: leave"):
        inputs.vectors(age=[1, wrong])


def test_a_table_is_not_a_column() -> None:
    with pytest.raises(ValueError, match="age has 2 dimensions"):
        inputs.vectors(age=[[1], [2]])


def test_no_rows_are_no_error() -> None:
    assert inputs.vectors(age=[], count=1)[1].size == 0


def test_what_is_lacking_is_said_with_what_is_needed() -> None:
    needed = {"customers": 100.0, "churned": 30.0}
    assert inputs.too_few({"customers": 100, "churned": 30}, needed) == ""
    assert (
        inputs.too_few({"customers": 7, "churned": 30}, needed)
        == "7 customers where 100 are needed"
    )
