"""The data docs of a refresh."""

import re
from pathlib import Path

from quality import docs
from quality.gate import CheckResult, Verdict

ROW = {
    "refresh_id": "20240401T030000Z-0001",
    "started_at": "2024-04-01 03:00:00",
    "finished_at": None,
    "as_of_day": "2024-03-31",
    "verdict": "refused",
    "batch_count": 1,
    "landed_count": 2,
    "quarantined_count": 0,
    "reason": "the gate refused <it>",
}


def result(
    name: str, *, is_passed: bool, observed: str = "1", error: str | None = None
) -> CheckResult:
    return CheckResult(
        stage="marts",
        suite="customers",
        check_name=name,
        severity="critical",
        is_passed=is_passed,
        observed=observed,
        expected="none",
        reason="Because.",
        offending_keys=("a & b",),
        error=error,
    )


def page(folder: Path, *results: CheckResult) -> str:
    path = docs.write_report(folder, [Verdict("marts", results, ("Because.",))], ROW)
    assert [each.name for each in folder.iterdir()] == ["index.html"]
    return path.read_text()


def test_what_comes_from_data_is_escaped(tmp_path: Path) -> None:
    text = page(tmp_path, result("x", is_passed=False, observed="<script>alert(1)</script>"))
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert "refused &lt;it&gt;" in text
    assert "a &amp; b" in text


def test_the_page_asks_nobody_for_anything(tmp_path: Path) -> None:
    text = page(tmp_path, result("x", is_passed=True))
    assert not re.search(r"(src|href)=|url\(|@import|https?:", text)


def test_what_failed_comes_first_and_says_how(tmp_path: Path) -> None:
    text = page(
        tmp_path,
        result("a_passes", is_passed=True),
        result("b_fails", is_passed=False),
        result("c_breaks", is_passed=False, error="no such column"),
    )
    order = [text.index(name) for name in ("b_fails", "c_breaks", "a_passes")]
    assert order == sorted(order)
    assert "could not run" in text
    assert "no such column" in text
