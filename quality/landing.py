"""What must hold of the batches that have come in, before anything is built from them.

Holds the rules on whole batches. Whether one row is well formed is decided where it lands
(orchestration.landing, by _feeds.yml); what the marts must satisfy is in marts.py.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import duckdb

from orchestration.contracts import Contract, contracts
from quality.suite import Builder, Check, Suite, Unbuilt, build, no_rows, rows_due

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

# A currency that moves so much from one quotation to the next was mistyped or inverted.
RATE_ODDLY_APART, RATE_SURELY_APART = 2, 10
# A heartbeat every 5 seconds of a whole day makes 17,280 events: more are no person's.
MOST_EVENTS_OF_A_PERSON = 20_000
# So long a circle of accounts that recommended one another is looked for.
LONGEST_CIRCLE = 12

MISSING_VISITOR = "visitor_id: required value is missing"

# A comparison with the past, and named as those of the days are: acceptance.py knows them by it.
FILES = "volume_of_files"

_NEW_BATCHES = "(select batch_id from landing.new_batches)"

# Shares of the new rows: above the first it is recorded, above the second refused.
SHARE_WITHOUT_VISITOR = (0.005, 0.1)  # a tenth of all traffic would be nobody's
SHARE_UNKNOWN_CONTENT = (0.05, 0.5)  # at a half the two feeds do not speak of the same ids
SHARE_UNKNOWN_ACCOUNT = (0.05, 0.5)
# No such row is usual; at a half the feed itself is wrong.
SHARE_OF_CIRCLES = (0.0, 0.5)
SHARE_OF_BOTS = (0.0, 0.5)
# Whose account is gone from the accounts is for them no mistake.
NAMES_THE_GONE = ("erasures", "consents")
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
        builders += [("new_rows", new_rows), ("known_ids", known_ids), (FILES, volume_of_files)]
    if not new.isdisjoint(AMOUNTS):
        builders.append(("amounts", amounts))
    builders += [
        (volume_name(feed), partial(volume, feed=feed)) for feed in contracts() if feed in new
    ]
    return build(connection, builders)


# Suites over the batches of all feeds together, in the order they are judged in.
SHARED_SUITES = ("freshness", "currencies", "new_rows", "known_ids", FILES, "amounts")
# Of these, judged in every refresh that builds.
ALWAYS_DUE = ("freshness", "currencies")


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
        f"select count(*), count(*) filter (where is_compared), {_are_days_due_sql(feed)} "
        f"from gate_volume_{feed}"
    ).fetchone()
    days, compared, are_due = found or (0, 0, True)
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
            rows_due(int(are_due), f"The days that new batches of {feed} brought. {told}"),
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


def _are_days_due_sql(feed: str) -> str:
    """Whether a new batch holds nothing but days that are judged, going by its manifest."""
    return f"""
        exists (
            select 1 from landing.batches as batches
            where
                feed = '{feed}' and landed_rows > 0
                and batch_id in {_NEW_BATCHES}
                and last_day <= (select as_of_day from landing.refresh)
                and first_day > coalesce((
                    select max(known.last_day) from landing.batches as known
                    where known.feed = '{feed}' and known.batch_id not in {_NEW_BATCHES}
                ) - {LATE_DAYS}, first_day - 1)
        )
        """


def _judged_days_sql(contract: Contract) -> str:
    return f"""
        with counts as ({_daily_counts_sql(contract)}),
        known as (
            select min(first_day) as first_day, max(last_day) as last_day
            from landing.batches
            where
                feed = '{contract.feed}'
                and batch_id not in {_NEW_BATCHES}
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
            bool_or(batch_id in {_NEW_BATCHES}) as is_new
        from landing.{contract.feed}
        where {contract.time} is not null
        group by 1
        """


def volume_of_files(connection: duckdb.DuckDBPyConnection) -> Suite:
    """Rows of each new file against what earlier files of its name brought.

    Days cannot tell that an export of a whole table came empty: nothing of it is new.
    """
    connection.execute(
        f"""
        create or replace temp table gate_files as
        select
            new.feed, new.source_name, new.landed_rows as row_count,
            min(known.landed_rows) as lowest
        from landing.batches as new
        left join landing.batches as known
            on new.feed = known.feed and new.source_name = known.source_name
            and known.batch_id not in {_NEW_BATCHES}
        where new.batch_id in {_NEW_BATCHES}
        group by new.batch_id, new.feed, new.source_name, new.landed_rows
        """
    )
    due = connection.execute("select count(*) from landing.new_batches").fetchone()
    key = (
        "select feed || ': ' || source_name || ' brought ' || row_count || ' rows, never fewer "
        "than ' || lowest || ' before' from {batch} where "
    )
    checks = (
        rows_due(due[0] if due else 1, "One row for each new file."),
        no_rows(
            "emptied_files",
            f"{key} row_count = 0 and lowest >= {FEWEST_ROWS_TO_REFUSE}",
            "A file that always brought rows and now brings none was not written to the end, or "
            "its export has failed.",
            expected="rows, as in every earlier file of that name",
        ),
        no_rows(
            "shrunken_files",
            f"{key} lowest >= {FEWEST_ROWS_TO_WARN} and row_count < {ODDLY_FEWER} * lowest",
            "A file with less than half of what its smallest predecessor had wants an explanation.",
            severity="warning",
            expected=f"at least {ODDLY_FEWER:.0%} of the smallest earlier file of that name",
        ),
    )
    return Suite(FILES, "select * from gate_files", checks, key=("feed", "source_name"))


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
    rows = connection.execute("select feed from gate_freshness order by feed").fetchall()
    checks = [rows_due(1, "A publisher without any feed has nothing to refresh.")]
    for (feed,) in rows:
        limit = DAYS_BEHIND.get(feed, DAYS_BEHIND_OTHERWISE)
        silent = "" if feed in NEVER_EMPTY else " or row_count = 0"
        checks.append(
            no_rows(
                f"{feed}_is_fresh",
                f"select feed || ', last day ' || coalesce(last_day::varchar, 'none') "
                f"from {{batch}} where feed = '{feed}' and (days_behind > {limit}{silent})",
                f"Marts that look more than {limit} days beyond the last {feed} take silence for "
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


# How far a new rate lies from its neighbour, at most, by currency; a day has the rate that counts.
_RATES_APART = f"""
    select currency, max(greatest(rate / before, before / rate)) as times
    from (
        select
            currency, rate, batch_id,
            lag(rate) over by_day as before,
            lag(batch_id) over by_day as batch_before
        from (
            select * from landing.exchange_rates
            qualify row_number() over (
                partition by day, currency
                order by
                    updated_at desc nulls last, source_modified_at desc, source_name desc,
                    source_row desc
            ) = 1
        )
        window by_day as (partition by currency order by day)
    )
    where batch_id in {_NEW_BATCHES} or batch_before in {_NEW_BATCHES}
    group by currency
    """


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
                ) as is_known,
            coalesce(apart.times, 1) as rate_times
        from (
            select currency, count(*) as row_count from ({used}) group by currency
        ) as used
        left join ({_RATES_APART}) as apart on used.currency = apart.currency
        """
    )
    listed = ", ".join(f"'{feed}'" for feed in feeds)
    landed = connection.execute(
        f"select count(*) > 0 from landing.batches where landed_rows > 0 and feed in ({listed})"
    ).fetchone()
    checks = (
        rows_due(int(landed[0]) if landed else 1, "The currencies that amounts came in."),
        no_rows(
            "has_exchange_rate",
            "select currency from {batch} where not is_known",
            "An amount in a currency without any rate cannot be converted; it would be missing "
            "from every total. Land a rate for it in exchange_rates.",
            expected="a rate for every currency but the reporting one",
        ),
        *(
            no_rows(
                name,
                f"select currency from {{batch}} where rate_times > {limit}",
                "A rate so far from the one quoted before it was mistyped, or quotes the "
                "reporting currency in units of the other.",
                severity=severity,
                observed="select coalesce(max(round(rate_times, 1)), 1) || ' times, or a fraction "
                "as small' from {batch}",
                expected=f"at most {limit} times the rate before it, in either direction",
            )
            for name, limit, severity in (
                ("rates_are_possible", RATE_SURELY_APART, "critical"),
                ("rates_are_steady", RATE_ODDLY_APART, "warning"),
            )
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
                f"where batch_id in {_NEW_BATCHES} "
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
        where batch_id in {_NEW_BATCHES}
        """


def _within_sql(column: str, limits: tuple[int, int]) -> str:
    whens = " ".join(f"when '{code}' then {units}" for code, units in UNITS_OF_A_EURO.items())
    units = f"case currency {whens} else 1 end"
    return f"({column} between {limits[0]} * {units} and {limits[1]} * {units})"


def new_rows(connection: duckdb.DuckDBPyConnection) -> Suite:
    """Every new row that a manifest counts is there to be judged, feed by feed."""
    feeds = sorted(new_feeds(connection))
    seen = " union all ".join(
        f"select '{feed}' as feed, count(*) as row_count from landing.{feed} "
        f"where batch_id in {_NEW_BATCHES}"
        for feed in feeds
    )
    connection.execute(
        f"""
        create or replace temp table gate_new_rows as
        select seen.feed, seen.row_count, coalesce(sum(batches.landed_rows), 0) as landed_rows
        from ({seen}) as seen
        left join landing.batches as batches
            on seen.feed = batches.feed and batches.batch_id in {_NEW_BATCHES}
        group by seen.feed, seen.row_count
        """
    )
    checks = (
        rows_due(len(feeds), "One row for each feed that has a new batch."),
        no_rows(
            "all_are_seen",
            "select feed || ': ' || row_count || ' of ' || landed_rows || ' rows' from {batch} "
            "where row_count <> landed_rows",
            "Checks hold of rows they do not see. A batch whose rows and manifest disagree was "
            "damaged after it landed.",
            observed="select sum(row_count) || ' of ' || sum(landed_rows) || ' rows' from {batch}",
            expected="as many rows as the manifests of the new batches count",
        ),
    )
    return Suite("new_rows", "select * from gate_new_rows", checks, key=("feed",))


def known_ids(connection: duckdb.DuckDBPyConnection) -> Suite:
    """Shares of the new rows whose visitor is missing or whose ids no other feed knows."""
    new = new_feeds(connection)
    shares: list[_Share] = []
    selects = ["select '' as share_name, 0 as row_count, 0 as failing_count where false"]
    if "events" in new:
        shares += [_without_visitor(), _of_bots()]
        selects += [_without_visitor_sql(), _of_bots_sql()]
    if "accounts" in new:
        shares.append(_in_circles())
        selects.append(_in_circles_sql())
    for feed in contracts():
        unknown = list(_unknown_ids(connection, feed)) if feed in new else []
        if unknown:
            shares += unknown
            selects.append(_unknown_sql(feed, unknown))
    connection.execute(
        f"create or replace temp table gate_known_ids as {' union all '.join(selects)}"
    )
    checks = [rows_due(len(shares), "One row for each share that the new batches let us count.")]
    for share in shares:
        checks += _share_checks(share)
    return Suite("known_ids", "select * from gate_known_ids", tuple(checks), key=("share_name",))


@dataclass(frozen=True)
class _Share:
    """A share of a feed's new rows, and the query that tells whose they are."""

    name: str
    offenders: str
    limits: tuple[float, float]
    reason: str


@dataclass(frozen=True)
class _UnknownIds(_Share):
    """The share whose `column` is not in `known`, a feed and its column."""

    column: str
    known: tuple[str, str]


def _share_checks(share: _Share) -> Iterator[Check]:
    """A warning above what is usual, a refusal above what is bearable."""
    for name, limit, severity, fewest in (
        (share.name, share.limits[1], "critical", FEWEST_ROWS_FOR_SHARE),
        (f"{share.name}_usual", share.limits[0], "warning", 1),
    ):
        check = no_rows(
            name,
            f"select share_name from {{batch}} where share_name = '{share.name}' "
            f"and row_count >= {fewest} and failing_count > {limit} * row_count",
            share.reason,
            severity=severity,
            observed="select failing_count || ' of ' || row_count || ' rows' "
            f"from {{batch}} where share_name = '{share.name}'",
            expected=f"at most {limit:.1%} of the rows",
        )
        yield replace(check, offenders=share.offenders)


_MISSING_VISITORS = f"""
    from landing.quarantine
    where
        feed = 'events'
        and contains(reasons, '{MISSING_VISITOR}')
        and batch_id in {_NEW_BATCHES}
    """


def _without_visitor() -> _Share:
    return _Share(
        "events_without_visitor",
        f"select row_hash {_MISSING_VISITORS}",
        SHARE_WITHOUT_VISITOR,
        "Events without a visitor are nobody's: every customer's engagement falls short by them.",
    )


def _without_visitor_sql() -> str:
    """Rows without a visitor never land: they are counted in quarantine."""
    return f"""
        select
            'events_without_visitor' as share_name,
            coalesce(sum(landed_rows + quarantined_rows), 0) as row_count,
            (select count(*) {_MISSING_VISITORS}) as failing_count
        from landing.batches
        where feed = 'events' and batch_id in {_NEW_BATCHES}
        """


_BOTS = f"""
    select visitor_id, day, count(*) as event_count
    from landing.events
    where batch_id in {_NEW_BATCHES}
    group by visitor_id, day
    having count(*) > {MOST_EVENTS_OF_A_PERSON}
    """


def _of_bots() -> _Share:
    return _Share(
        "events_of_bots",
        f"select visitor_id || ' on ' || day || ': ' || event_count from ({_BOTS}) "
        "order by event_count desc",
        SHARE_OF_BOTS,
        f"Nobody makes more than {MOST_EVENTS_OF_A_PERSON:,} events in a day. What a program "
        "reads takes advertising revenue from the readers it is shared among: leave it out by "
        "`where` in publisher.yml.",
    )


def _of_bots_sql() -> str:
    return f"""
        select
            'events_of_bots' as share_name,
            (select count(*) from landing.events where batch_id in {_NEW_BATCHES}) as row_count,
            (select coalesce(sum(event_count), 0) from ({_BOTS})) as failing_count
        """


# Accounts that, from one to who recommended it and so on, come back to themselves.
_CIRCLES = f"""
    with recursive steps as (
        select distinct account_id, referred_by_account_id as referrer_id
        from landing.accounts
        where referred_by_account_id is not null
    ),
    walks as (
        select account_id, referrer_id, 1 as length from steps
        union
        select walks.account_id, steps.referrer_id, walks.length + 1
        from walks
        inner join steps on walks.referrer_id = steps.account_id
        where walks.referrer_id <> walks.account_id and walks.length < {LONGEST_CIRCLE}
    )
    select distinct account_id from walks where account_id = referrer_id
    """


def _in_circles() -> _Share:
    return _Share(
        "accounts_referred_in_circles",
        f"select account_id from ({_CIRCLES}) order by account_id",
        SHARE_OF_CIRCLES,
        "Accounts that recommended one another in a circle, or themselves, cannot all have come "
        "later than who brought them.",
    )


def _in_circles_sql() -> str:
    return f"""
        select
            'accounts_referred_in_circles' as share_name,
            count(referred_by_account_id) as row_count,
            count(*) filter (where account_id in (select account_id from ({_CIRCLES})))
                as failing_count
        from landing.accounts
        where batch_id in {_NEW_BATCHES}
        """


def _unknown_ids(connection: duckdb.DuckDBPyConnection, feed: str) -> Iterator[_UnknownIds]:
    """One share for each column of a feed that names content or an account."""
    rows = connection.execute("select feed from landing.feeds where is_configured").fetchall()
    configured = {name for (name,) in rows}
    for column in contracts()[feed].columns:
        if column.name == "content_id":
            known, limits = ("content", "content_id"), SHARE_UNKNOWN_CONTENT
        elif column.pseudonym == "account" and feed not in NAMES_THE_GONE:
            known, limits = ("accounts", "account_id"), SHARE_UNKNOWN_ACCOUNT
        else:
            continue
        if known[0] in configured and known != (feed, column.name):
            yield _unknown(feed, column.name, known, limits)


def _unknown(
    feed: str, column: str, known: tuple[str, str], limits: tuple[float, float]
) -> _UnknownIds:
    other, known_column = known
    return _UnknownIds(
        name=f"{feed}_unknown_{column}",
        column=column,
        known=known,
        offenders=f"""
        select {column} from landing.{feed}
        where
            {column} is not null and batch_id in {_NEW_BATCHES}
            and {column} not in (
                select {known_column} from landing.{other} where {known_column} is not null
            )
        group by {column} order by count(*) desc, {column}
        """,
        limits=limits,
        reason=f"Rows of {feed} whose {column} the feed {other} does not know fall out of all "
        "that joins the two; many of them mean that the feeds write their ids differently.",
    )


def _unknown_sql(feed: str, shares: Sequence[_UnknownIds]) -> str:
    """The feed's new rows, read once for all its shares."""
    joins, names, rows, failing = "", [], [], []
    for number, share in enumerate(shares):
        other, known_column = share.known
        joins += (
            f" left join (select distinct {known_column} as id from landing.{other}) "
            f"as known_{number} on new_rows.{share.column} = known_{number}.id"
        )
        names.append(f"'{share.name}'")
        rows.append(f"count(new_rows.{share.column})")
        failing.append(f"count(new_rows.{share.column}) filter (where known_{number}.id is null)")
    return f"""
        select
            unnest([{", ".join(names)}]) as share_name,
            unnest(row_counts) as row_count,
            unnest(failing_counts) as failing_count
        from (
            select
                [{", ".join(rows)}] as row_counts,
                [{", ".join(failing)}] as failing_counts
            from landing.{feed} as new_rows {joins}
            where new_rows.batch_id in {_NEW_BATCHES}
        )
        """
