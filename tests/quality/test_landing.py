"""Each rule about new batches refuses, or warns of, the one thing it is about."""

import datetime as dt

import duckdb
import pytest

from quality.gate import Verdict
from tests.quality.conftest import add_batch, failed, insert, judged_landing, result

READER = "a1" * 32
STRANGER = "b2" * 32

COLLAPSED = ("volume_events", "collapsed_days")
EXPLODED = ("volume_events", "exploded_days")
UNUSUAL = ("volume_events", "unusual_days")
NO_VISITOR = ("known_ids", "events_without_visitor")
NO_VISITOR_USUAL = ("known_ids", "events_without_visitor_usual")
CONTENT = ("known_ids", "events_unknown_content_id")
CONTENT_USUAL = ("known_ids", "events_unknown_content_id_usual")
ACCOUNT = ("known_ids", "payments_unknown_account_id")
ACCOUNT_USUAL = ("known_ids", "payments_unknown_account_id_usual")
POSSIBLE = ("amounts", "payments_possible")
USUAL = ("amounts", "payments_usual")


@pytest.fixture
def landing(landed: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """A landing nobody could complain of.

    Events: 200 a day from 1 to 30 March, 150 on the 31st, of which the 30th and the 31st are
    new. Payments: 100 new ones of ten euros or kronor by one known account, half an hour after
    local midnight.
    """
    insert(landed, "landing.accounts", {"account_id": READER, "batch_id": "a0"})
    insert(landed, "landing.content", {"content_id": "c1", "batch_id": "c0"})
    rate = {"day": dt.date(2024, 3, 1), "currency": "SEK", "rate": 0.09, "batch_id": "x0"}
    insert(landed, "landing.exchange_rates", rate)
    for feed, batch_id in (("accounts", "a0"), ("content", "c0"), ("exchange_rates", "x0")):
        add_batch(landed, feed, batch_id, is_new=False)
    _land_events(landed)
    _land_payments(landed, 100)
    return landed


def _land_events(landed: duckdb.DuckDBPyConnection) -> None:
    add_batch(
        landed,
        "events",
        "e0",
        is_new=False,
        landed=29 * 200,
        first_day=dt.date(2024, 3, 1),
        last_day=dt.date(2024, 3, 29),
    )
    add_batch(landed, "events", "e1", is_new=True, landed=350, first_day=dt.date(2024, 3, 30))
    landed.execute(
        """
        insert into landing.daily_rows
        select 'events', date '2024-03-01' + i::int, if(i = 30, 150, 200), i >= 29
        from range(31) as days(i)
        """
    )
    landed.execute(
        """
        insert into landing.events (event_id, visitor_id, account_id, content_id, batch_id, day)
        select 'e' || i, ?, ?, 'c1', 'e1', date '2024-03-30' + (i // 200)::int
        from range(350) as rows(i)
        """,
        [STRANGER, READER],
    )


def _land_payments(landed: duckdb.DuckDBPyConnection, count: int) -> None:
    add_batch(landed, "payments", "p1", is_new=True, landed=count)
    landed.execute(
        """
        insert into landing.payments (payment_id, account_id, paid_at, amount, currency, batch_id)
        select 'p' || i, ?, '2024-03-30 22:30:00', 10, if(i = 0, 'SEK', 'EUR'), 'p1'
        from range(?) as rows(i)
        """,
        [READER, count],
    )


def quarantine(connection: duckdb.DuckDBPyConnection, count: int, batch_id: str = "e1") -> None:
    """Events that lack their visitor."""
    connection.execute(
        "update landing.batches set quarantined_rows = ? where batch_id = ?", [count, batch_id]
    )
    connection.execute(
        "insert into landing.quarantine select 'events', ?, 'h' || i, "
        "'visitor_id: required value is missing' from range(?) as rows(i)",
        [batch_id, count],
    )


def assert_only(verdict: Verdict, expected: set[tuple[str, str]], *, refused: bool) -> None:
    assert failed(verdict) == expected
    assert verdict.is_passed is not refused
    assert all(each.reason for each in verdict.results)


def test_batches_as_usual_pass(landing: duckdb.DuckDBPyConnection) -> None:
    verdict = judged_landing(landing)
    assert_only(verdict, set(), refused=False)
    assert {each.suite for each in verdict.results} == {
        "freshness",
        "currencies",
        "new_rows",
        "known_ids",
        "amounts",
        "volume_of_files",
        "volume_events",
        "volume_payments",
    }


@pytest.mark.parametrize(
    ("day", "rows", "expected", "refused"),
    [
        # Its weekday had 200 rows in each of four weeks: a tenth is 20, a half 100.
        ("2024-03-30", 19, {COLLAPSED, UNUSUAL}, True),
        ("2024-03-30", 20, {UNUSUAL}, False),
        ("2024-03-30", 99, {UNUSUAL}, False),
        ("2024-03-30", 100, set(), False),
        # The last day may still be under way.
        ("2024-03-31", 1, set(), False),
        # Twice is 400, tenfold 2,000.
        ("2024-03-31", 400, set(), False),
        ("2024-03-31", 401, {UNUSUAL}, False),
        ("2024-03-31", 2000, {UNUSUAL}, False),
        ("2024-03-31", 2001, {EXPLODED, UNUSUAL}, True),
    ],
)
def test_a_days_volume_is_held_against_its_weekday(
    landing: duckdb.DuckDBPyConnection,
    day: str,
    rows: int,
    expected: set[tuple[str, str]],
    refused: bool,
) -> None:
    landing.execute("update landing.daily_rows set row_count = ? where day = ?", [rows, day])
    assert_only(judged_landing(landing, "volume_events"), expected, refused=refused)


def test_a_day_of_which_nothing_came_is_a_day_with_no_rows(
    landing: duckdb.DuckDBPyConnection,
) -> None:
    landing.execute("delete from landing.daily_rows where day = '2024-03-30'")
    verdict = judged_landing(landing)
    assert_only(verdict, {COLLAPSED, UNUSUAL}, refused=True)
    [key] = result(verdict, *COLLAPSED).offending_keys
    assert key == "2024-03-30: 0 rows, the same weekday had 200 to 200"


def test_one_earlier_week_is_no_history(landing: duckdb.DuckDBPyConnection) -> None:
    landing.execute("delete from landing.daily_rows where day < '2024-03-18'")
    landing.execute("update landing.batches set first_day = '2024-03-18' where batch_id = 'e0'")
    landing.execute("update landing.daily_rows set row_count = 1 where day = '2024-03-30'")
    verdict = judged_landing(landing)
    assert_only(verdict, set(), refused=False)
    # 29 March, the last day known, is looked at again.
    assert result(verdict, "volume_events", "row_count").observed == (
        "3 new days, 0 of them compared"
    )


def test_new_days_that_were_not_counted_are_refused(landing: duckdb.DuckDBPyConnection) -> None:
    landing.execute("delete from landing.daily_rows")
    assert_only(judged_landing(landing), {("volume_events", "row_count")}, refused=True)


def test_a_day_is_the_publishers_day(landing: duckdb.DuckDBPyConnection) -> None:
    judged_landing(landing, "volume_payments")
    # 22:30 UTC is half past midnight in Helsinki.
    days = landing.execute("select day, row_count from gate_volume_payments").fetchall()
    assert days == [(dt.date(2024, 3, 31), 100)]


def test_a_batch_whose_rows_are_not_all_there_is_refused(
    landing: duckdb.DuckDBPyConnection,
) -> None:
    landing.execute("delete from landing.payments where payment_id = 'p7'")
    verdict = judged_landing(landing)
    assert_only(verdict, {("new_rows", "all_are_seen")}, refused=True)
    keys = result(verdict, "new_rows", "all_are_seen").offending_keys
    assert keys == ("payments: 99 of 100 rows",)


@pytest.mark.parametrize(("last_day", "is_late"), [("2024-03-24", False), ("2024-03-23", True)])
def test_a_feed_that_lags_is_warned_of(
    landing: duckdb.DuckDBPyConnection, last_day: str, is_late: bool
) -> None:
    landing.execute("update landing.batches set last_day = ? where feed = 'accounts'", [last_day])
    expected = {("freshness", "accounts_is_fresh")} if is_late else set()
    assert_only(judged_landing(landing), expected, refused=False)


@pytest.mark.parametrize(
    ("feed", "check", "refused"),
    [("subscriptions", "something_landed", True), ("mentions", "mentions_is_fresh", False)],
)
def test_a_feed_that_never_delivered_is_told(
    landing: duckdb.DuckDBPyConnection, feed: str, check: str, refused: bool
) -> None:
    landing.execute("update landing.feeds set is_configured = true where feed = ?", [feed])
    assert_only(judged_landing(landing), {("freshness", check)}, refused=refused)


def test_a_publisher_without_feeds_is_refused(landing: duckdb.DuckDBPyConnection) -> None:
    landing.execute("update landing.feeds set is_configured = false")
    assert_only(judged_landing(landing), {("freshness", "row_count")}, refused=True)


@pytest.mark.parametrize(
    ("count", "expected", "refused"),
    [
        (1, set(), False),  # 1 of 351 rows, 0.28 %
        (2, {NO_VISITOR_USUAL}, False),  # 2 of 352, 0.57 %
        (38, {NO_VISITOR_USUAL}, False),  # 38 of 388, 9.8 %
        (39, {NO_VISITOR, NO_VISITOR_USUAL}, True),  # 39 of 389, 10.03 %
    ],
)
def test_events_without_a_visitor_are_counted_in_quarantine(
    landing: duckdb.DuckDBPyConnection,
    count: int,
    expected: set[tuple[str, str]],
    refused: bool,
) -> None:
    quarantine(landing, count)
    assert_only(judged_landing(landing, "known_ids"), expected, refused=refused)


def test_old_quarantine_is_not_counted_again(landing: duckdb.DuckDBPyConnection) -> None:
    quarantine(landing, 300, batch_id="e0")
    assert_only(judged_landing(landing), set(), refused=False)


@pytest.mark.parametrize(
    ("count", "expected", "refused"),
    [
        (17, set(), False),  # 4.9 % of 350
        (18, {CONTENT_USUAL}, False),  # 5.1 %
        (175, {CONTENT_USUAL}, False),  # just half
        (176, {CONTENT, CONTENT_USUAL}, True),
    ],
)
def test_the_share_of_unknown_content_is_limited(
    landing: duckdb.DuckDBPyConnection,
    count: int,
    expected: set[tuple[str, str]],
    refused: bool,
) -> None:
    landing.execute(
        "update landing.events set content_id = 'c9' where substr(event_id, 2)::int < ?", [count]
    )
    verdict = judged_landing(landing, "known_ids")
    assert_only(verdict, expected, refused=refused)
    assert result(verdict, *CONTENT).observed == f"{count} of 350 rows"
    assert all(result(verdict, *name).offending_keys == ("c9",) for name in expected)


@pytest.mark.parametrize(
    ("count", "expected", "refused"),
    [
        (5, set(), False),
        (6, {ACCOUNT_USUAL}, False),
        (50, {ACCOUNT_USUAL}, False),
        (51, {ACCOUNT, ACCOUNT_USUAL}, True),
    ],
)
def test_the_share_of_unknown_accounts_is_limited(
    landing: duckdb.DuckDBPyConnection,
    count: int,
    expected: set[tuple[str, str]],
    refused: bool,
) -> None:
    landing.execute(
        "update landing.payments set account_id = ? where substr(payment_id, 2)::int < ?",
        [STRANGER, count],
    )
    assert_only(judged_landing(landing, "known_ids"), expected, refused=refused)


def test_a_handful_of_rows_is_never_refused_for_a_share(
    landing: duckdb.DuckDBPyConnection,
) -> None:
    landing.execute("delete from landing.payments where substr(payment_id, 2)::int >= 3")
    landing.execute("update landing.batches set landed_rows = 3 where feed = 'payments'")
    landing.execute("update landing.payments set account_id = ?", [STRANGER])
    assert_only(judged_landing(landing), {ACCOUNT_USUAL}, refused=False)


def test_who_asked_to_be_erased_need_not_be_known(landing: duckdb.DuckDBPyConnection) -> None:
    add_batch(landing, "erasures", "z1", is_new=True)
    asked = {"account_id": STRANGER, "requested_at": "2024-03-31 09:00:00", "batch_id": "z1"}
    insert(landing, "landing.erasures", asked)
    assert_only(judged_landing(landing), set(), refused=False)


@pytest.mark.parametrize(
    ("amount", "currency", "expected", "refused"),
    [
        ("10000", "EUR", set(), False),
        ("10000.01", "EUR", {USUAL}, False),
        ("-10000.01", "EUR", {USUAL}, False),
        ("1000000.01", "EUR", {POSSIBLE, USUAL}, True),
        # A yen buys about a hundredth of what a euro does.
        ("1000000", "JPY", set(), False),
        ("1000000.01", "JPY", {USUAL}, False),
    ],
)
def test_amounts_are_held_against_what_is_usual_and_possible(
    landing: duckdb.DuckDBPyConnection,
    amount: str,
    currency: str,
    expected: set[tuple[str, str]],
    refused: bool,
) -> None:
    rate = {"day": dt.date(2024, 3, 1), "currency": "JPY", "rate": 0.006, "batch_id": "x0"}
    insert(landing, "landing.exchange_rates", rate)
    landing.execute(
        "update landing.payments set amount = ?, currency = ? where payment_id = 'p7'",
        [amount, currency],
    )
    assert_only(judged_landing(landing, "amounts"), expected, refused=refused)


def test_a_currency_without_any_rate_is_refused(landing: duckdb.DuckDBPyConnection) -> None:
    landing.execute("delete from landing.exchange_rates")
    verdict = judged_landing(landing)
    assert_only(verdict, {("currencies", "has_exchange_rate")}, refused=True)
    assert result(verdict, "currencies", "has_exchange_rate").offending_keys == ("SEK",)


EMPTIED = ("volume_of_files", "emptied_files")
SHRUNKEN = ("volume_of_files", "shrunken_files")


@pytest.mark.parametrize(
    ("before", "now", "expected", "refused"),
    [
        (100, 0, {EMPTIED, SHRUNKEN}, True),
        (99, 0, {SHRUNKEN}, False),
        (19, 0, set(), False),  # so few may well be none for once
        (100, 49, {SHRUNKEN}, False),
        (100, 50, set(), False),
    ],
)
def test_a_file_is_held_against_its_predecessors(
    landing: duckdb.DuckDBPyConnection,
    before: int,
    now: int,
    expected: set[tuple[str, str]],
    refused: bool,
) -> None:
    add_batch(landing, "costs", "k0", is_new=False, landed=before)
    add_batch(landing, "costs", "k1", is_new=True, landed=now)
    landing.execute("update landing.batches set source_name = 'costs.csv' where feed = 'costs'")
    assert_only(judged_landing(landing, "volume_of_files"), expected, refused=refused)


POSSIBLE_RATE = ("currencies", "rates_are_possible")
STEADY_RATE = ("currencies", "rates_are_steady")


@pytest.mark.parametrize(
    ("rate", "expected", "refused"),
    [
        # The day before, a krona was 0.09 euros.
        (0.18, set(), False),
        (0.181, {STEADY_RATE}, False),
        (0.0449, {STEADY_RATE}, False),
        (0.89, {STEADY_RATE}, False),
        (11.1, {POSSIBLE_RATE, STEADY_RATE}, True),
    ],
)
def test_a_new_rate_is_held_against_the_one_before(
    landing: duckdb.DuckDBPyConnection,
    rate: float,
    expected: set[tuple[str, str]],
    refused: bool,
) -> None:
    add_batch(landing, "exchange_rates", "x1", is_new=True)
    row = {"day": dt.date(2024, 3, 2), "currency": "SEK", "rate": rate, "batch_id": "x1"}
    insert(landing, "landing.exchange_rates", row)
    assert_only(judged_landing(landing, "currencies"), expected, refused=refused)


def test_a_mistyped_rate_that_was_corrected_is_forgiven(
    landing: duckdb.DuckDBPyConnection,
) -> None:
    row = {"day": dt.date(2024, 3, 2), "currency": "SEK"}
    for batch_id, rate, hour in (("x1", 11.1, 1), ("x2", 0.09, 2)):
        add_batch(landing, "exchange_rates", batch_id, is_new=True)
        changed = {"rate": rate, "batch_id": batch_id, "updated_at": dt.datetime(2024, 3, 3, hour)}
        insert(landing, "landing.exchange_rates", row | changed)
    assert_only(judged_landing(landing, "currencies"), set(), refused=False)


BOTS = ("known_ids", "events_of_bots")
BOTS_USUAL = ("known_ids", "events_of_bots_usual")


@pytest.mark.parametrize(
    ("count", "expected", "refused"),
    [(20_000, set(), False), (20_001, {BOTS, BOTS_USUAL}, True)],
)
def test_a_visitor_with_more_events_than_a_day_holds_is_a_bot(
    landing: duckdb.DuckDBPyConnection,
    count: int,
    expected: set[tuple[str, str]],
    refused: bool,
) -> None:
    landing.execute(
        "insert into landing.events (event_id, visitor_id, content_id, batch_id, day) "
        "select 'b' || i, 'bot', 'c1', 'e1', date '2024-03-30' from range(?) as rows(i)",
        [count],
    )
    assert_only(judged_landing(landing, "known_ids"), expected, refused=refused)


CIRCLES_USUAL = ("known_ids", "accounts_referred_in_circles_usual")


@pytest.mark.parametrize(
    ("referrers", "expected"),
    [
        ({"a": "b", "b": "c", "c": None}, set()),
        ({"a": "b", "b": "c", "c": "a"}, {CIRCLES_USUAL}),
        ({"a": "a", "b": None, "c": None}, {CIRCLES_USUAL}),
    ],
)
def test_accounts_that_recommended_one_another_are_told(
    landing: duckdb.DuckDBPyConnection,
    referrers: dict[str, str | None],
    expected: set[tuple[str, str]],
) -> None:
    add_batch(landing, "accounts", "a1", is_new=True, landed=3)
    for account, referrer in referrers.items():
        row = {"account_id": account, "referred_by_account_id": referrer, "batch_id": "a1"}
        insert(landing, "landing.accounts", row)
    assert_only(judged_landing(landing, "known_ids"), expected, refused=False)


def test_a_suite_whose_table_is_gone_is_refused(landing: duckdb.DuckDBPyConnection) -> None:
    landing.execute("drop table landing.content")
    verdict = judged_landing(landing)
    assert_only(verdict, {("known_ids", "(suite)")}, refused=True)
    assert result(verdict, "known_ids", "(suite)").error is not None


def test_without_new_batches_only_what_is_always_due_is_judged(
    landing: duckdb.DuckDBPyConnection,
) -> None:
    landing.execute("delete from landing.new_batches")
    verdict = judged_landing(landing)
    assert_only(verdict, set(), refused=False)
    assert {each.suite for each in verdict.results} == {"freshness", "currencies"}
