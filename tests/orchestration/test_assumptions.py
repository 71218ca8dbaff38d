"""assumptions.yml: what may be assumed, and what is wrong with a file that assumes badly."""

from pathlib import Path

import pytest

from orchestration import assumptions, publisher
from orchestration.errors import ConfigurationError


def read(tmp_path: Path, text: str) -> tuple[dict[str, assumptions.Assumption], tuple[str, ...]]:
    path = tmp_path / assumptions.FILE
    path.write_text(text)
    found, problems = assumptions.read(path)
    return {each.kind.name: each for each in found}, problems


def test_without_a_file_only_what_has_a_usual_value_is_known(tmp_path: Path) -> None:
    found, problems = assumptions.read(tmp_path / assumptions.FILE)
    assert not problems
    assert len(found) == len(assumptions.KINDS)
    known = {each.kind.name: each.base for each in found if each.base is not None}
    assert known["annual_discount_rate"] == 0.10
    assert known["horizon_weeks"] == 260
    assert "subscription_margin" not in known
    assert not any(each.is_stated for each in found)


def test_a_number_stands_for_low_base_and_high(tmp_path: Path) -> None:
    found, problems = read(tmp_path, "purchase_margin: 0.3\n")
    assert not problems
    margin = found["purchase_margin"]
    assert (margin.low, margin.base, margin.high, margin.is_stated) == (0.3, 0.3, 0.3, True)


def test_a_range_keeps_its_reason(tmp_path: Path) -> None:
    found, problems = read(
        tmp_path, "subscription_margin: {low: 0.5, base: 0.6, high: 0.7, because: accounts of 2025}"
    )
    assert not problems
    margin = found["subscription_margin"]
    assert (margin.low, margin.base, margin.high) == (0.5, 0.6, 0.7)
    assert margin.because == "accounts of 2025"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("purchase_margn: 0.3", "no assumption 'purchase_margn'. Did you mean 'purchase_margin'?"),
        ("purchase_margin: 30", "must be 0 <= low <= base <= high <= 1 (share)"),
        ("purchase_margin: {low: 0.5, base: 0.4}", "but is 0.5, 0.4, 0.4"),
        ("purchase_margin: {base: 0.4, hihg: 0.5}", "has no 'hihg'; it may have low, base, high"),
        ("purchase_margin: a third", "needs a number"),
        ("purchase_margin: {low: 0.4}", "needs a number"),
        ("purchase_margin: true", "needs a number"),
        ("- purchase_margin", "must be a mapping of assumptions"),
        ("purchase_margin: [", "cannot be read"),
    ],
)
def test_a_mistake_is_told_with_its_remedy(tmp_path: Path, text: str, told: str) -> None:
    _, [problem] = read(tmp_path, text)
    assert told in problem
    assert str(tmp_path / assumptions.FILE) in problem


def test_a_publisher_with_a_bad_assumption_is_refused(tmp_path: Path) -> None:
    (tmp_path / "publisher.yml").write_text(
        "publisher: small\ntime_zone: UTC\ncurrency: EUR\nfeeds: {events: {files: e.csv}}\n"
    )
    (tmp_path / assumptions.FILE).write_text("purchase_margin: 2\n")
    with pytest.raises(ConfigurationError, match="'purchase_margin' must be 0 <= low"):
        publisher.load(tmp_path / "publisher.yml")


def test_a_calibration_that_leaves_nothing_to_hold_against_is_refused(tmp_path: Path) -> None:
    (tmp_path / "publisher.yml").write_text(
        "publisher: small\ntime_zone: UTC\ncurrency: EUR\nas_of: 2024-03-01\n"
        "calibration_end: 2024-03-01\nfeeds: {events: {files: e.csv}}\n"
    )
    with pytest.raises(ConfigurationError, match="line 5: 'calibration_end' is 2024-03-01"):
        publisher.load(tmp_path / "publisher.yml")
