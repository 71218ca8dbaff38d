"""Each rule about the marts refuses the one thing it is about: one thing spoiled, one refusal."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from orchestration.refresh import PUBLISHED
from quality import gate, marts
from quality.gate import Verdict
from tests.quality.conftest import failed
from tests.refresh.conftest import FEEDS, fill
from tests.refresh.small import Small


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Small:
    """A small publisher, really refreshed: its marts are what the rules are held against."""
    small = Small(tmp_path_factory.mktemp("gate") / "small", FEEDS)
    fill(small)
    assert small.refresh(tests=False).verdict == PUBLISHED
    return small


@pytest.fixture
def candidate(published: Small, tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A copy of the published marts as the next candidate, beside warehouse and last version."""
    path = tmp_path / "candidate.duckdb"
    shutil.copyfile(published.home.published / "marts.duckdb", path)
    with duckdb.connect(str(path)) as connection:
        connection.execute("set TimeZone = 'UTC'")
        for name, file in (
            ("warehouse", published.home.warehouse),
            ("last", published.home.published / "marts.duckdb"),
        ):
            connection.execute(f"attach '{file.resolve()}' as {name} (read_only)")
        yield connection


def judged(connection: duckdb.DuckDBPyConnection) -> Verdict:
    return gate.judge("marts", marts.suites, connection)


def test_what_was_published_passes_again(candidate: duckdb.DuckDBPyConnection) -> None:
    verdict = judged(candidate)
    assert verdict.is_passed
    assert failed(verdict) == set()
    assert {result.suite for result in verdict.results} == set(marts.suite_names())


@pytest.mark.parametrize(
    ("spoiled", "refused"),
    [
        ("drop table identity_coverage", ("presence", "every_mart_is_there")),
        ("delete from engagement", ("presence", "rows_where_due")),
        (
            "update customer_value set observed_value = observed_value + 0.01",
            ("customer_value", "observed_value"),
        ),
        (
            "update customer_value set engagement_value = 1",
            ("customer_value", "engagement_value"),
        ),
        (
            "update customer_value_monthly set visitor_value = visitor_value + 0.01",
            ("customer_value", "months"),
        ),
        (
            "delete from customer_value where kind = 'visitor'",
            ("customer_value", "every_customer"),
        ),
        (
            "update mrr_movements set end_mrr = end_mrr + 0.01",
            ("mrr_movements", "bridge"),
        ),
        ("update mrr_monthly set new_mrr = new_mrr + 0.01", ("mrr_monthly", "bridge")),
        (
            "update customer_value set economic_past_value = economic_past_value + 0.01, "
            "observed_value = observed_value + 0.01",
            ("reconciliation", "past_value_is_payments"),
        ),
        (
            "update mrr_movements set new_mrr = new_mrr + 0.01, end_mrr = end_mrr + 0.01",
            ("reconciliation", "mrr_is_subscriptions"),
        ),
        (
            "update visitor_value_daily set unallocated_revenue = unallocated_revenue + 0.01",
            ("reconciliation", "allocation_is_bills"),
        ),
        (
            "update visitor_value_daily set billed_revenue = billed_revenue + 0.01",
            ("reconciliation", "billed_revenue_is_bills"),
        ),
        (
            "update customers set acquisition_channel = 'liisa@example.fi'",
            ("identifiers", "no_email_address"),
        ),
        (
            "update customers set acquisition_channel = 'call +358 40 123 4567'",
            ("identifiers", "no_phone_number"),
        ),
        ("update customers set country = '192.168.0.1'", ("identifiers", "no_ip_address")),
        (
            "update engagement set customer_id = 'reader 7' where active_days_30d > 1",
            ("identifiers", "ids_are_pseudonyms"),
        ),
        (
            "delete from visitor_value_daily where day = '2024-03-02'",
            ("reconciliation", "billed_revenue_is_bills"),
        ),
        (
            "update mrr_monthly set end_mrr = end_mrr * 2, new_mrr = new_mrr + end_mrr "
            "where month < '2024-03-01'",
            ("last_version", "closed_months_changed"),
        ),
        (
            "delete from customers where kind = 'visitor'",
            ("last_version", "customers_collapsed"),
        ),
    ],
)
def test_one_thing_spoiled_is_refused_by_the_rule_about_it(
    candidate: duckdb.DuckDBPyConnection, spoiled: str, refused: tuple[str, str]
) -> None:
    candidate.execute(spoiled)
    verdict = judged(candidate)
    assert not verdict.is_passed
    assert refused in failed(verdict)


def test_without_a_last_version_nothing_is_compared_and_that_is_said(
    candidate: duckdb.DuckDBPyConnection,
) -> None:
    candidate.execute("detach last")
    verdict = judged(candidate)
    assert verdict.is_passed
    [told] = [result for result in verdict.results if result.suite == "last_version"]
    assert "No version is published yet" in told.reason


def test_marts_without_their_warehouse_are_refused(
    candidate: duckdb.DuckDBPyConnection,
) -> None:
    candidate.execute("detach warehouse")
    assert not judged(candidate).is_passed
