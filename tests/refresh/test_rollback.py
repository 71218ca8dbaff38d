"""Back to an earlier version, and the way forward again, as a user types it."""

import json
from pathlib import Path

import pytest

from orchestration import cli
from orchestration.reports import PUBLISHED
from tests.refresh.small import Small, bill


@pytest.fixture
def twice(published_twice: Small, tmp_path: Path) -> Small:
    """Published twice: 14 euros of advertising, then 16."""
    return published_twice.copied(tmp_path / "twice")


@pytest.fixture(scope="module")
def published_twice(refreshed: Small, tmp_path_factory: pytest.TempPathFactory) -> Small:
    made = refreshed.copied(tmp_path_factory.mktemp("twice") / "small")
    made.add("ad_revenue", bill("2024-03-02", 7))
    assert made.refresh(tests=False).verdict == PUBLISHED
    return made


def arvo(small: Small, *arguments: str) -> int:
    where = ("--home", str(small.home.root), "--publisher", str(small.path))
    return cli.main([*arguments[:1], *where, *arguments[1:]])


def total(small: Small, capsys: pytest.CaptureFixture[str]) -> float:
    capsys.readouterr()
    query = "select sum(billed_revenue) as total from visitor_value_daily"
    assert arvo(small, "sql", query, "--format", "json") == 0
    answered = json.loads(capsys.readouterr().out)
    return float(answered["total"])


def test_a_rollback_returns_to_the_version_before_and_forward_again(
    twice: Small, capsys: pytest.CaptureFixture[str]
) -> None:
    newest = (twice.home.published / "marts.duckdb").resolve().name
    newest_refresh = newest.removesuffix(".duckdb").split("-", 2)[2]
    assert total(twice, capsys) == 16
    assert arvo(twice, "rollback") == 0
    assert total(twice, capsys) == 14
    assert arvo(twice, "rollback", newest_refresh) == 0
    assert total(twice, capsys) == 16


def test_a_refresh_with_nothing_new_leaves_a_rollback_in_place(
    twice: Small, capsys: pytest.CaptureFixture[str]
) -> None:
    assert arvo(twice, "rollback") == 0
    assert twice.refresh(tests=False).verdict == "nothing new"
    assert total(twice, capsys) == 14


def test_a_rollback_to_what_is_not_kept_names_what_is(
    twice: Small, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (twice.home.published / "marts.duckdb").resolve()
    assert arvo(twice, "rollback", "20200101T000000Z-0000") == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "20200101T000000Z-0000" in said
    assert all(each.name.split("-", 2)[2][:16] in said for each in _versions(twice.home.published))
    assert (twice.home.published / "marts.duckdb").resolve() == before


def _versions(folder: Path) -> list[Path]:
    return sorted(folder.glob("marts-*.duckdb"))


def test_status_tells_the_version_and_each_failed_check(
    twice: Small, capsys: pytest.CaptureFixture[str]
) -> None:
    twice.add("ad_revenue", bill("2024-03-03", 1, currency="SEK"))
    assert twice.refresh(tests=False).verdict == "refused"
    capsys.readouterr()
    assert arvo(twice, "status") == 0
    told = capsys.readouterr().out
    assert "Published: " in told
    assert "refused" in told
    assert "SEK" in told
    assert arvo(twice, "status", "--json") == 0
    assert json.loads(capsys.readouterr().out)
