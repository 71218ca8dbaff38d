"""Faults of whole batches: well-formed rows that cannot be what happened."""

import datetime as dt

import pyarrow.parquet as pq

from orchestration import batches
from tests.faults.fault import REFUSED, WARNED, Chapter
from tests.faults.site import GATE_IN, LAND, LAST_DAY, WHOLE, Site

CHAPTER = Chapter("Batches", GATE_IN)

# How many times the demo's day, which has about as many events as the day a week before.
NEW_IDS = "select * replace (id || '-' || copy as id) from events cross join range({}) as t(copy)"


@CHAPTER.fault(
    "a day with no events",
    "a day of events",
    REFUSED,
    "volume_events, collapsed_days: … 2026-06-29: … rows, the same weekday had",
)
def empty_day(site: Site) -> None:
    site.remake("select * from events where false")


@CHAPTER.fault(
    "a day missing",
    "a day of events",
    REFUSED,
    "volume_events, collapsed_days: … 2026-06-29: … rows, the same weekday had",
)
def missing_day(site: Site) -> None:
    site.file("events").unlink()


@CHAPTER.fault(
    "less than half the volume",
    "a day of events",
    WARNED,
    "volume_events, unusual_days: … 2026-06-29",
)
def half_volume(site: Site) -> None:
    # A fifth, because a day may have more than its weekday's lowest.
    site.remake("select * from events where hash(id) % 5 = 0")


@CHAPTER.fault(
    "four times the volume", "a day of events", WARNED, "volume_events, unusual_days: … 2026-06-29"
)
def four_times(site: Site) -> None:
    site.remake(NEW_IDS.format(4))


@CHAPTER.fault(
    "more than ten times the volume",
    "a day of events",
    REFUSED,
    "volume_events, exploded_days: … delivered more than once or holds what is not ours",
)
def many_times(site: Site) -> None:
    # Twenty, because a day may have less than its weekday's highest.
    site.remake(NEW_IDS.format(20))


@CHAPTER.fault(
    "a bot with a million events in a day",
    "a day of events",
    REFUSED,
    "known_ids, events_of_bots: Nobody makes more than 20,000 events in a day … "
    "volume_events, exploded_days",
)
def million_events(site: Site) -> None:
    site.remake(
        "from events union all by name "
        "select * replace ('b' || copy as id, repeat('b0', 16) as visitor, null as \"user\") "
        "from (from events where type = 'view' limit 1) cross join range(1_000_000) as t(copy)",
    )


@CHAPTER.fault(
    "a feed that is suddenly empty",
    "payments.csv",
    REFUSED,
    "volume_of_files, emptied_files: A file that always brought rows and now brings none",
)
def emptied_feed(site: Site) -> None:
    site.replace("payments", [])


@CHAPTER.fault(
    "an export that stopped half-way, at the end of a row",
    "content.jsonl.gz",
    WARNED,
    "volume_of_files, shrunken_files: A file with less than half of what its smallest predecessor",
)
def shrunken_export(site: Site) -> None:
    rows = site.rows("content")
    site.replace("content", rows[: len(rows) // 3])


@CHAPTER.fault(
    "nothing from any feed for a month",
    "the day the refresh is asked for",
    WARNED,
    "freshness, events_is_fresh: Marts that look more than 1 days beyond the last events",
)
def silence(site: Site) -> None:
    site.configure("as_of", value=LAST_DAY + dt.timedelta(days=31))


@CHAPTER.fault(
    "a currency nobody quotes a rate for",
    "payments.csv",
    REFUSED,
    "currencies, has_exchange_rate: An amount in a currency without any rate … For example: USD",
)
def missing_rate(site: Site) -> None:
    site.add("payments", {"booking": "P99999999", "currency": "USD"})


@CHAPTER.fault(
    "a rate quoted the other way round",
    "exchange_rates.csv",
    REFUSED,
    "currencies, rates_are_possible: A rate so far from the one quoted before it was mistyped",
)
def inverted_rate(site: Site) -> None:
    # About 11 kronor a euro where 0.09 euros a krona are quoted.
    rows = [row for row in site.rows("exchange_rates") if row["code"] == "SEK"]
    site.replace("exchange_rates", [*rows[:-1], {**rows[-1], "eur": "11.21"}])


@CHAPTER.fault(
    "a rate three times the last",
    "exchange_rates.csv",
    WARNED,
    "currencies, rates_are_steady: A rate so far from the one quoted before it was mistyped",
)
def tripled_rate(site: Site) -> None:
    rows = [row for row in site.rows("exchange_rates") if row["code"] == "SEK"]
    tripled = f"{3 * float(rows[-1]['eur']):.6f}"
    site.replace("exchange_rates", [*rows[:-1], {**rows[-1], "eur": tripled}])


@CHAPTER.fault(
    "a payment of two million",
    "payments.csv",
    REFUSED,
    "amounts, payments_possible: No such amount exists in this trade … P99999999: 2000000",
)
def impossible_amount(site: Site) -> None:
    site.add("payments", {"booking": "P99999999", "sum": "2000000.00"})


@CHAPTER.fault(
    "a payment of twenty thousand",
    "payments.csv",
    WARNED,
    "amounts, payments_usual: An amount of this size wants a second look … P99999999: 20000",
)
def unusual_amount(site: Site) -> None:
    site.add("payments", {"booking": "P99999999", "sum": "20000.00"})


@CHAPTER.fault(
    "content ids written otherwise than in the editorial system",
    "a day of events",
    REFUSED,
    "known_ids, events_unknown_content_id: … fall out of all that joins the two",
)
def foreign_content_ids(site: Site) -> None:
    select = "select * replace ('article/' || article as article) from events"
    site.remake(select)
    site.remake(select, site.file("events").with_name("2026-06-30.parquet"))


@CHAPTER.fault(
    "customer numbers where the accounts are known by address",
    "payments.csv",
    REFUSED,
    "known_ids, payments_unknown_account_id: … fall out of all that joins the two",
)
def foreign_accounts(site: Site) -> None:
    site.replace(
        "payments",
        [{**row, "customer": f"customer {n}"} for n, row in enumerate(site.rows("payments"))],
    )


@CHAPTER.fault(
    "accounts that recommended one another in a circle",
    "accounts.jsonl",
    WARNED,
    "known_ids, accounts_referred_in_circles_usual: … cannot all have come later than who "
    "brought them",
)
def circular_referrals(site: Site) -> None:
    rows = site.rows("accounts")
    for row, referrer in zip(rows[:3], [rows[1], rows[2], rows[0]], strict=True):
        row["invited_by"] = referrer["email"]
    site.replace("accounts", rows)


@CHAPTER.fault(
    "a condition that no row meets",
    "`where` of a feed in publisher.yml",
    REFUSED,
    "freshness, something_landed: A configured feed that has never brought a row … payments",
)
def condition_nobody_meets(site: Site) -> None:
    site.configure("feeds", "payments", "where", value="kind = 'subscripton'")


@CHAPTER.fault(
    "a landed file that lost rows before the models saw them",
    "landing/payments/",
    REFUSED,
    "new_rows, all_are_seen: Checks hold of rows they do not see",
)
def damaged_batch(site: Site) -> None:
    known = {m.batch_id for m in batches.committed(site.home, "payments")}
    site.add("payments", {"booking": "P99999999"})
    assert site.refreshed(LAND).error is None
    [new] = [m for m in batches.committed(site.home, "payments") if m.batch_id not in known]
    part = site.home.landing / "payments" / new.batch_id / new.parts[0].name
    pq.write_table(pq.read_table(part).slice(0, 10), part)


@CHAPTER.fault(
    "overlapping periods of one subscription",
    "subscriptions.csv.gz",
    REFUSED,
    "tests of the models failed: periods_of_a_subscription_do_not_overlap",
    until=WHOLE,
)
def overlapping_periods(site: Site) -> None:
    open_period = next(row for row in site.rows("subscriptions") if not row["to"])
    site.append("subscriptions", [{**open_period, "from": "2026-06-01 00:00:00"}])
