"""What must hold of the batches that have come in, before anything is built from them.

Holds the rules on whole batches. Whether one row is well formed is decided where it lands
(orchestration.landing, by _feeds.yml); what the marts must satisfy is in marts.py.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

import duckdb

from orchestration.contracts import Contract, contracts
from quality.suite import Builder, Suite, Unbuilt, build, no_rows, rows_due

# Volume is compared with the same weekday, because a Sunday is not a Monday.
HISTORY_WEEKS = 4
# One week alone may have been the odd one.
LEAST_HISTORY_WEEKS = 2
# Rows for days already built still come late; older days are no longer the new batches' doing.
LATE_DAYS = 7
# Fewer rows a day than this vary too much from week to week for a refusal to rest on.
FEWEST_ROWS_TO_REFUSE = 100
FEWEST_ROWS_TO_WARN = 20
# A tenth and tenfold are beyond any holiday or news event; a half and twofold are not.
SURELY_FEWER, SURELY_MORE = 0.1, 10
ODDLY_FEWER, ODDLY_MORE = 0.5, 2

# Days a feed may lie behind the as-of day before somebody should look. Lagging is never refused:
# a feed that has ended is still history worth publishing.
DAYS_BEHIND = {
    "events": 1,  # collected continuously
    "payments": 7,  # ledgers are closed by the week at most
    "subscriptions": 7,
    "accounts": 7,
    "content": 7,
    "ad_revenue": 7,  # bills of advertising networks settle for some days
    "page_speed": 7,
    "exchange_rates": 35,  # a rate a month is enough for the month's fixed rate
    "costs": 35,  # costs are booked by the month
}
# Feeds that come when something happens: silence for a quarter of a year is odd, a week is not.
DAYS_BEHIND_OTHERWISE = 92
# Configured but never landed, these would publish zeros that mean "unknown".
NEVER_EMPTY = ("events", "accounts", "subscriptions", "payments", "ad_revenue")

MISSING_VISITOR = "visitor_id: required value is missing"

# Shares of the new rows: above the first it is recorded, above the second refused.
SHARE_WITHOUT_VISITOR = (0.005, 0.1)  # a tenth of all traffic would be nobody's
SHARE_UNKNOWN_CONTENT = (0.05, 0.5)  # at a half the two feeds do not speak of the same ids
SHARE_UNKNOWN_ACCOUNT = (0.05, 0.5)
FEWEST_ROWS_FOR_SHARE = 100  # one unknown id among three rows is half of nothing

# Column of the amount; what is possible; what is usual. In euros of one row, or in a currency of
# about that worth. Beyond the possible, cents were read as euros or the wrong column was mapped.
AMOUNTS = {
    # A reader's payment; the largest group contracts stay under a million.
    "payments": ("amount", (-1_000_000, 1_000_000), (-10_000, 10_000)),
    # A price per billing period of one account.
    "subscriptions": ("amount", (0, 1_000_000), (0, 10_000)),
    # A day's bill for one placement and device; corrections are negative.
    "ad_revenue": ("revenue", (-10_000_000, 10_000_000), (-100_000, 100_000)),
    # A day's cost of one kind and channel; credit notes are negative.
    "costs": ("amount", (-10_000_000, 10_000_000), (-100_000, 100_000)),
}
# Units of a currency that buy about what one euro buys, where it is a hundred or more.
UNITS_OF_A_EURO = {
    "CLP": 1_000,
    "COP": 1_000,
    "HUF": 100,
    "IDR": 10_000,
    "ISK": 100,
    "JPY": 100,
    "KRW": 1_000,
    "VND": 10_000,
}


def suites(connection: duckdb.DuckDBPyConnection) -> list[Suite | Unbuilt]:
    """The suites that judge the new batches.

    Args:
        connection: The warehouse with its schema `landing`, of which `new_batches` names the
            batches that are judged.
    """
    new = new_feeds(connection)
    builders: list[tuple[str, Builder]] = [("freshness", freshness), ("currencies", currencies)]
    if new:
        builders.append(("known_ids", known_ids))
    if not new.isdisjoint(AMOUNTS):
        builders.append(("amounts", amounts))
    builders += [
        (volume_name(feed), partial(volume, feed=feed)) for feed in contracts() if feed in new
    ]
    return build(connection, builders)


# Suites over the batches of all feeds together, in the order they are judged in.
SHARED_SUITES = ("freshness", "currencies", "known_ids", "amounts")


def volume_name(feed: str) -> str:
    """Name of the suite about the volume of a feed."""
    return f"volume_{feed}"


def new_feeds(connection: duckdb.DuckDBPyConnection) -> set[str]:
    """Feeds that have a new batch."""
    rows = connection.execute("select distinct feed from landing.new_batches").fetchall()
    return {feed for (feed,) in rows}


def volume(connection: duckdb.DuckDBPyConnection, feed: str) -> Suite:
    """Rows of a feed's new days against the same weekday of the trailing four weeks.

    Days before the feed's first are no history. Its last day may still be under way, so it is
    never too small; the next refresh looks at it again.
    """
    connection.execute(
        f"create or replace temp table gate_volume_{feed} as {_judged_days_sql(contracts()[feed])}"
    )
    found = connection.execute(
        f"select count(*), count(*) filter (where is_compared) from gate_volume_{feed}"
    ).fetchone()
    days, compared = found or (0, 0)
    told = (
        f"{compared} of {days} new days have at least {LEAST_HISTORY_WEEKS} earlier weeks to be "
        "compared with; the others were not compared."
    )
    key = (
        "select day::varchar || ': ' || row_count || ' rows, the same weekday had ' || lowest "
        "|| ' to ' || highest from {batch} where "
    )
    checks = (
        replace(
            rows_due(min(days, 1), f"The days that new batches of {feed} brought. {told}"),
            observed="select count(*) || ' new days, ' || count(*) filter (where is_compared) "
            "|| ' of them compared' from {batch}",
        ),
        no_rows(
            "collapsed_days",
            key + "is_collapsed",
            f"A day of {feed} with less than a tenth of what its weekday never fell below has "
            f"not arrived whole. {told}",
            expected=f"at least {SURELY_FEWER:.0%} of the lowest of the four weeks",
        ),
        no_rows(
            "exploded_days",
            key + "is_exploded",
            f"A day of {feed} with more than ten times its weekday's highest was delivered more "
            f"than once or holds what is not ours. {told}",
            expected=f"at most {SURELY_MORE} times the highest of the four weeks",
        ),
        no_rows(
            "unusual_days",
            key + "is_unusual",
            f"A day of {feed} outside half to twice its weekday's range wants an explanation: a "
            f"news event, a holiday, a lost delivery. {told}",
            severity="warning",
            expected=f"{ODDLY_FEWER:.0%} of the lowest to {ODDLY_MORE} times the highest",
        ),
    )
    return Suite(volume_name(feed), f"select * from gate_volume_{feed}", checks, key=("day",))


def _judged_days_sql(contract: Contract) -> str:
    return f"""
        with counts as ({_daily_counts_sql(contract)}),
        known as (
            select min(first_day) as first_day, max(last_day) as last_day
            from landing.batches
            where
                feed = '{contract.feed}'
                and batch_id not in (select batch_id from landing.new_batches)
        ),
        span as (
            select
                coalesce(known.last_day, min(counts.day)) as first_day,
                max(counts.day) as last_day
            from counts cross join known
            where counts.is_new
            group by known.last_day
        ),
        -- A day between the last known and the last new one of which nothing came is a new day
        -- with no rows.
        days as (
            select cast(unnest(generate_series(first_day, last_day, interval 1 day)) as date) as day
            from span
            union
            select counts.day
            from counts cross join known
            where counts.is_new and counts.day > coalesce(known.last_day, counts.day) - {LATE_DAYS}
        ),
        judged as (
            select
                days.day,
                coalesce(max(counts.row_count), 0) as row_count,
                count(weeks.week) as weeks,
                min(coalesce(past.row_count, 0)) filter (where weeks.week is not null) as lowest,
                max(coalesce(past.row_count, 0)) filter (where weeks.week is not null) as highest
            from days
            cross join known
            left join (
                select cast(unnest(range(1, {HISTORY_WEEKS + 1})) as integer) as week
            ) as weeks
                on days.day - 7 * weeks.week between known.first_day and known.last_day
            left join counts on counts.day = days.day
            left join counts as past on past.day = days.day - 7 * weeks.week
            group by days.day
        ),
        compared as (
            select
                *,
                weeks >= {LEAST_HISTORY_WEEKS} as is_compared,
                day < (select last_day from span) as is_complete
            from judged
        )
        select
            day, row_count, weeks, lowest, highest, is_compared,
            is_compared and is_complete
                and lowest >= {FEWEST_ROWS_TO_REFUSE}
                and row_count < {SURELY_FEWER} * lowest as is_collapsed,
            is_compared
                and row_count >= {SURELY_MORE * FEWEST_ROWS_TO_REFUSE}
                and row_count > {SURELY_MORE} * highest as is_exploded,
            is_compared and (
                (is_complete and lowest > 0 and row_count = 0)
                or (
                    is_complete and lowest >= {FEWEST_ROWS_TO_WARN}
                    and row_count < {ODDLY_FEWER} * lowest
                )
                or (
                    row_count >= {FEWEST_ROWS_TO_WARN}
                    and row_count > {ODDLY_MORE} * greatest(highest, {FEWEST_ROWS_TO_WARN})
                )
            ) as is_unusual
        from compared
        where day <= (select as_of_day from landing.refresh)
        """


def _daily_counts_sql(contract: Contract) -> str:
    """Rows by local day, and whether a new batch brought any of them.

    Events are counted when they land. The other feeds are small, and may be delivered whole
    again and again: of them the keys are counted.
    """
    if contract.is_partitioned_by_day:
        return f"""
            select day, sum(row_count) as row_count, bool_or(is_new) as is_new
            from landing.daily_rows
            where feed = '{contract.feed}'
            group by day
            """
    day = contract.time
    if contract.column(contract.time).data_type == "timestamp":
        zone = "(select time_zone from landing.refresh)"
        day = f"cast(timezone({zone}, timezone('UTC', {contract.time})) as date)"
    return f"""
        select
            {day} as day,
            count(distinct ({", ".join(contract.key)})) as row_count,
            bool_or(batch_id in (select batch_id from landing.new_batches)) as is_new
        from landing.{contract.feed}
        where {contract.time} is not null
        group by 1
        """


def freshness(connection: duckdb.DuckDBPyConnection) -> Suite:
    """The last day of each configured feed against the as-of day."""
    connection.execute(
        """
        create or replace temp table gate_freshness as
        select
            feeds.feed,
            coalesce(sum(batches.landed_rows), 0) as row_count,
            max(batches.last_day) as last_day,
            (select as_of_day from landing.refresh) - max(batches.last_day) as days_behind
        from landing.feeds as feeds
        left join landing.batches as batches on feeds.feed = batches.feed
        where feeds.is_configured
        group by feeds.feed
        """
    )
    rows = connection.execute("select feed, row_count from gate_freshness order by feed").fetchall()
    checks = [rows_due(1, "A publisher without any feed has nothing to refresh.")]
    for feed, _ in rows:
        limit = DAYS_BEHIND.get(feed, DAYS_BEHIND_OTHERWISE)
        checks.append(
            no_rows(
                f"{feed}_is_fresh",
                f"select feed || ', last day ' || last_day from {{batch}} "
                f"where feed = '{feed}' and days_behind > {limit}",
                f"Marts that look {limit} days or more beyond the last {feed} take silence for "
                "a fact.",
                severity="warning",
                observed="select coalesce(greatest(days_behind, 0) || ' days behind', "
                f"'no day known') from {{batch}} where feed = '{feed}'",
                expected=f"at most {limit} days behind the as-of day",
            )
        )
    never_empty = ", ".join(f"'{feed}'" for feed in NEVER_EMPTY)
    checks.append(
        no_rows(
            "something_landed",
            f"select feed from {{batch}} where row_count = 0 and feed in ({never_empty})",
            "A configured feed that has never brought a row would publish zeros where nothing "
            "is known. Leave it out of publisher.yml until it delivers.",
            expected="a row of every configured feed that money or customers are counted from",
        )
    )
    return Suite("freshness", "select * from gate_freshness", tuple(checks), key=("feed",))


def currencies(connection: duckdb.DuckDBPyConnection) -> Suite:
    """Every currency in use has an exchange rate."""
    feeds = [
        contract.feed
        for contract in contracts().values()
        if "currency" in contract.column_names and "currency" not in contract.key
    ]
    used = " union all ".join(f"select currency from landing.{feed}" for feed in feeds)
    connection.execute(
        f"""
        create or replace temp table gate_currencies as
        select
            used.currency,
            used.row_count,
            used.currency = (select currency from landing.refresh)
                or exists (
                    select 1 from landing.exchange_rates as rates
                    where rates.currency = used.currency
                ) as is_known
        from (
            select currency, count(*) as row_count from ({used}) group by currency
        ) as used
        """
    )
    found = connection.execute("select count(*) from gate_currencies").fetchone()
    checks = (
        rows_due(min(found[0], 1) if found else 1, "The currencies that amounts came in."),
        no_rows(
            "has_exchange_rate",
            "select currency from {batch} where not is_known",
            "An amount in a currency without any rate cannot be converted; it would be missing "
            "from every total. Land a rate for it in exchange_rates.",
            expected="a rate for every currency but the reporting one",
        ),
    )
    return Suite("currencies", "select * from gate_currencies", checks, key=("currency",))


def amounts(connection: duckdb.DuckDBPyConnection) -> Suite:
    """Amounts of the new rows against what is possible and what is usual."""
    new = new_feeds(connection)
    feeds = [feed for feed in AMOUNTS if feed in new]
    connection.execute(
        "create or replace temp table gate_amounts as "
        + " union all ".join(_amounts_sql(feed) for feed in feeds)
    )
    checks = [rows_due(len(feeds), "One row for each feed with new amounts.")]
    for feed in feeds:
        column, possible, usual = AMOUNTS[feed]
        for name, limits, severity, reason in (
            (
                "possible",
                possible,
                "critical",
                "No such amount exists in this trade: cents were read as euros, or another "
                "column was mapped.",
            ),
            ("usual", usual, "warning", "An amount of this size wants a second look."),
        ):
            key = " || ' · ' || ".join(
                f"coalesce({part}::varchar, '(none)')" for part in contracts()[feed].key
            )
            offenders = (
                f"select {key} || ': ' || {column} || ' ' || currency from landing.{feed} "
                f"where batch_id in (select batch_id from landing.new_batches) "
                f"and not {_within_sql(column, limits)} order by abs({column}) desc"
            )
            checks.append(
                replace(
                    no_rows(
                        f"{feed}_{name}",
                        f"select feed from {{batch}} where feed = '{feed}' and not is_all_{name}",
                        reason,
                        severity=severity,
                        observed="select coalesce(lowest || ' to ' || highest, 'no amount') "
                        f"from {{batch}} where feed = '{feed}'",
                        expected=f"{limits[0]:,} to {limits[1]:,} euros or their like",
                    ),
                    offenders=offenders,
                )
            )
    return Suite("amounts", "select * from gate_amounts", tuple(checks), key=("feed",))


def _amounts_sql(feed: str) -> str:
    column, possible, usual = AMOUNTS[feed]
    return f"""
        select
            '{feed}' as feed,
            count(*) as row_count,
            min({column}) as lowest,
            max({column}) as highest,
            coalesce(bool_and({_within_sql(column, possible)}), true) as is_all_possible,
            coalesce(bool_and({_within_sql(column, usual)}), true) as is_all_usual
        from landing.{feed}
        where batch_id in (select batch_id from landing.new_batches)
        """


def _within_sql(column: str, limits: tuple[int, int]) -> str:
    whens = " ".join(f"when '{code}' then {units}" for code, units in UNITS_OF_A_EURO.items())
    units = f"case currency {whens} else 1 end"
    return f"({column} between {limits[0]} * {units} and {limits[1]} * {units})"


def known_ids(connection: duckdb.DuckDBPyConnection) -> Suite:
    """Shares of the new rows whose visitor is missing or whose ids no other feed knows."""
    shares = list(_shares(connection))
    selects = [
        f"select '{share.name}' as share_name, row_count, failing_count from ({share.counts})"
        for share in shares
    ]
    nothing = "select '' as share_name, 0 as row_count, 0 as failing_count where false"
    connection.execute(
        f"create or replace temp table gate_known_ids as {' union all '.join(selects) or nothing}"
    )
    checks = [rows_due(len(shares), "One row for each share that the new batches let us count.")]
    for share in shares:
        for name, limit, severity in (
            (share.name, share.limits[1], "critical"),
            (f"{share.name}_usual", share.limits[0], "warning"),
        ):
            fewest = FEWEST_ROWS_FOR_SHARE if severity == "critical" else 1
            checks.append(
                replace(
                    no_rows(
                        name,
                        f"select share_name from {{batch}} where share_name = '{share.name}' "
                        f"and row_count >= {fewest} and failing_count > {limit} * row_count",
                        share.reason,
                        severity=severity,
                        observed="select failing_count || ' of ' || row_count || ' rows' "
                        f"from {{batch}} where share_name = '{share.name}'",
                        expected=f"at most {limit:.1%} of the rows",
                    ),
                    offenders=share.offenders,
                )
            )
    return Suite("known_ids", "select * from gate_known_ids", tuple(checks), key=("share_name",))


@dataclass(frozen=True)
class _Share:
    """A share of rows: a query for row_count and failing_count, and one for whose they are."""

    name: str
    counts: str
    offenders: str
    limits: tuple[float, float]
    reason: str


def _shares(connection: duckdb.DuckDBPyConnection) -> Iterator[_Share]:
    new = new_feeds(connection)
    rows = connection.execute("select feed from landing.feeds where is_configured").fetchall()
    configured = {feed for (feed,) in rows}
    if "events" in new:
        yield _without_visitor()
    for contract in contracts().values():
        if contract.feed not in new:
            continue
        names = contract.column_names
        if "content_id" in names and contract.feed != "content" and "content" in configured:
            yield _unknown(contract.feed, "content_id", "content", SHARE_UNKNOWN_CONTENT)
        if "account_id" in names and contract.feed != "accounts" and "accounts" in configured:
            yield _unknown(contract.feed, "account_id", "accounts", SHARE_UNKNOWN_ACCOUNT)


def _without_visitor() -> _Share:
    missing = f"""
        from landing.quarantine
        where
            feed = 'events'
            and contains(reasons, '{MISSING_VISITOR}')
            and batch_id in (select batch_id from landing.new_batches)
        """
    return _Share(
        "events_without_visitor",
        f"""
        select
            coalesce(sum(landed_rows + quarantined_rows), 0) as row_count,
            (select count(*) {missing}) as failing_count
        from landing.batches
        where feed = 'events' and batch_id in (select batch_id from landing.new_batches)
        """,
        f"select row_hash {missing}",
        SHARE_WITHOUT_VISITOR,
        "Events without a visitor are nobody's: every customer's engagement falls short by them.",
    )


def _unknown(feed: str, column: str, other: str, limits: tuple[float, float]) -> _Share:
    new_rows = f"""
        from landing.{feed} as new_rows
        left join (select distinct {column} as known_id from landing.{other}) as known
            on new_rows.{column} = known.known_id
        where
            new_rows.{column} is not null
            and new_rows.batch_id in (select batch_id from landing.new_batches)
        """
    return _Share(
        f"{feed}_unknown_{other}",
        f"""
        select count(*) as row_count, count(*) filter (where known_id is null) as failing_count
        {new_rows}
        """,
        f"""
        select new_rows.{column} {new_rows} and known_id is null
        group by new_rows.{column} order by count(*) desc, new_rows.{column}
        """,
        limits,
        f"Rows of {feed} whose {column} the feed {other} does not know fall out of everything "
        f"that joins the two; many of them mean that the feeds write their ids differently.",
    )
