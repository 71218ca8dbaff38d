"""The data docs of a refresh."""

import re
from pathlib import Path

import pytest

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
    name: str,
    *,
    is_passed: bool,
    suite: str = "customers",
    severity: str = "critical",
    observed: str = "1",
    error: str | None = None,
) -> CheckResult:
    return CheckResult(
        stage="marts",
        suite=suite,
        check_name=name,
        severity=severity,
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
    assert not re.search(r"(src|href)=|url\(|@import|http|<script|<link|<iframe", text)


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


def test_suites_with_refusals_come_before_warnings_and_those_before_the_rest(
    tmp_path: Path,
) -> None:
    text = page(
        tmp_path,
        result("x", suite="all_well", is_passed=True),
        result("y", suite="one_warns", is_passed=False, severity="warning"),
        result("z", suite="one_refuses", is_passed=False),
    )
    captions = re.findall("<caption>(.*?)</caption>", text)
    assert captions == ["one_refuses", "one_warns", "all_well"]
    assert "3 checks: 1 passed, 1 refused, 1 only warned." in text


def test_every_failed_check_is_there_with_all_that_is_known_of_it(tmp_path: Path) -> None:
    names = [f"check_{number}" for number in range(40)]
    text = page(tmp_path, *(result(name, is_passed=False, observed="7 rows") for name in names))
    rows = re.findall('<tr>(<th scope="row">.*?)</tr>', text)
    told = [re.sub("<[^>]+>", "|", row) for row in rows]
    assert [row.strip("|").split("|")[0] for row in told] == names
    for words in ("critical", "failed", "7 rows", "none", "Because.", "a &amp; b"):
        assert all(words in row for row in told)


def test_the_verdict_is_said_in_words(tmp_path: Path) -> None:
    text = page(tmp_path, result("x", is_passed=False))
    assert "readers still see what was published before" in text


def test_a_refresh_that_judged_nothing_has_a_page_too(tmp_path: Path) -> None:
    text = docs.write_report(tmp_path / "new", [], {**ROW, "verdict": "failed"}).read_text()
    assert "No check was run." in text


def test_a_page_that_cannot_be_written_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = page(tmp_path, result("x", is_passed=True))

    def full(descriptor: int) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        docs.write_report(tmp_path, [], ROW)
    assert (tmp_path / "index.html").read_text() == before
