"""Faults that must make no difference: one refresh with all of them, and what each then counts."""

import shutil

from orchestration import pseudonyms
from tests.faults.fault import REPAIRED, Chapter, Holds
from tests.faults.site import TOGETHER, Met, Row, Site

CHAPTER = Chapter("Repeats and the like", TOGETHER)


def first(site: Site, feed: str, column: str) -> Row:
    """The feed's first row that has a value in the column."""
    return next(row for row in site.rows(feed) if row[column])


def pseudonym(site: Site, kind: str, raw: str) -> str:
    """What an identifier became."""
    return pseudonyms.pseudonym(pseudonyms.key(site.home), kind, raw)


@CHAPTER.fault(
    "a payment delivered twice",
    "payments.csv",
    REPAIRED,
    "one row in staging, and the customer has paid it once",
)
def repeated_payment(site: Site) -> Holds:
    rows = site.rows("payments")
    row = rows[0]
    site.append("payments", [row])
    # The demo's own repeats and later versions of a booking count once, too.
    paid = {each["booking"]: each for each in rows if each["customer"] == row["customer"]}
    due = sum(int(each["sum"].replace(".", "")) for each in paid.values())

    def holds(met: Met) -> None:
        stored = f"from staging.stg_payments where payment_id = '{row['booking']}'"
        assert site.built(f"select amount::varchar {stored}") == [(f"{row['sum']}00",)]
        customer = pseudonym(site, "account", row["customer"])
        assert site.marts(
            "select cast(economic_past_value * 100 as bigint) from customer_value "
            f"where customer_id = '{customer}'"
        ) == [(due,)]

    return holds


@CHAPTER.fault(
    "an event delivered twice, the second time changed",
    "a day of events",
    REPAIRED,
    "the delivery that was received first counts",
)
def repeated_event(site: Site) -> Holds:
    row = first(site, "events", "received")
    site.append("events", [{**row, "received": row["received"] + 1000, "device": "television"}])

    def holds(met: Met) -> None:
        stored = f"from staging.stg_events where event_id = '{row['id']}'"
        assert site.built(f"select device {stored}") == [(row["device"],)]

    return holds


@CHAPTER.fault(
    "a bill delivered again, corrected",
    "ad_revenue/2026-06.csv",
    REPAIRED,
    "the version changed last counts",
)
def corrected_bill(site: Site) -> Holds:
    row = first(site, "ad_revenue", "device")
    site.append("ad_revenue", [{**row, "net": "4.56", "changed": "2026-07-01 00:00:00"}])

    def holds(met: Met) -> None:
        assert site.built(
            "select revenue::varchar from staging.stg_ad_revenue "
            f"where day = '{row['date']}' and placement = '{row['slot']}' "
            f"and device = '{row['device']}'"
        ) == [("4.5600",)]

    return holds


@CHAPTER.fault(
    "an account on the device of another household",
    "a day of events",
    REPAIRED,
    "the device keeps its logged-out events to itself: they are neither account's",
)
def shared_device(site: Site) -> Holds:
    row = first(site, "events", "visitor")
    visitor = "5a" * 16
    accounts = [each["email"] for each in site.rows("accounts")[:2]]
    site.append(
        "events",
        [
            {**row, "id": f"shared-{n}", "visitor": visitor, "user": user, "type": "view"}
            for n, user in enumerate([*accounts, None])
        ],
    )

    def holds(met: Met) -> None:
        known = pseudonym(site, "visitor", visitor)
        assert site.built(
            "select is_shared_device, customer_id from intermediate.int_identity "
            f"where visitor_id = '{known}'"
        ) == [(True, known)]

    return holds


@CHAPTER.fault(
    "a period that ends in the year 9999",
    "subscriptions.csv.gz",
    REPAIRED,
    "the period is open: its price is MRR",
)
def endless_period(site: Site) -> Holds:
    reader = "endless@example.fi"
    row = first(site, "subscriptions", "subscription")
    period = {"from": "2026-06-02 00:00:00", "to": "9999-12-31 23:59:59", "interval": "month"}
    priced = {"price": "10,00", "currency": "EUR", "state": "active", "reason": ""}
    changed = {"subscription": "S9999999", "customer": reader, "changed": "2026-06-02 00:00:00"}
    site.append("subscriptions", [{**row, **period, **priced, **changed}])

    def holds(met: Met) -> None:
        customer = pseudonym(site, "account", reader)
        assert site.marts(
            "select month::varchar, new_mrr::varchar, end_mrr::varchar from mrr_movements "
            f"where customer_id = '{customer}'"
        ) == [("2026-06-01", "10.0000", "10.0000")]

    return holds


@CHAPTER.fault(
    "an e-mail address in the query of a page's address",
    "a day of events",
    REPAIRED,
    "the address lands without its query",
)
def address_in_query(site: Site) -> Holds:
    page = "https://jarvisanomat.example/uutiskirje"
    site.add("events", {"id": "query-1", "url": f"{page}?email=liisa@example.fi#top"})

    def holds(met: Met) -> None:
        assert site.built("select url from staging.stg_events where event_id = 'query-1'") == [
            (page,)
        ]

    return holds


@CHAPTER.fault(
    "blanks around an account's id",
    "payments.csv",
    REPAIRED,
    "it is the customer it is without them",
)
def padded_id(site: Site) -> Holds:
    reader = site.rows("accounts")[0]["email"]
    site.add("payments", {"booking": "P77777777", "customer": f"  {reader} "})

    def holds(met: Met) -> None:
        assert site.built(
            "select account_id from staging.stg_payments where payment_id = 'P77777777'"
        ) == [(pseudonym(site, "account", reader),)]

    return holds


@CHAPTER.fault(
    "a home without its build folder",
    "build/",
    REPAIRED,
    "everything is built again from landing, and published",
)
def no_build(site: Site) -> Holds:
    shutil.rmtree(site.home.build)

    def holds(met: Met) -> None:
        assert met.run is not None
        assert met.run.planned is not None
        assert met.run.planned.is_full
        assert met.run.version is not None
        assert met.run.version.path == site.current()

    return holds
