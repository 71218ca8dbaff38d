"""Faults of single rows: what the source should never have sent goes to quarantine, alone."""

from tests.faults.fault import QUARANTINED, Chapter
from tests.faults.site import Site

CHAPTER = Chapter("Rows")

PAYMENTS, EVENTS = "payments.csv", "a day of events"
SUBSCRIPTIONS = "subscriptions.csv.gz"


@CHAPTER.fault(
    "a payment without its key", PAYMENTS, QUARANTINED, "payment_id: required value is missing"
)
def null_key(site: Site) -> None:
    site.add("payments", {"booking": ""})


@CHAPTER.fault(
    "a key of blanks only", SUBSCRIPTIONS, QUARANTINED, "subscription_id: required value is missing"
)
def blank_key(site: Site) -> None:
    site.add("subscriptions", {"subscription": "   "})


@CHAPTER.fault("an event of nobody", EVENTS, QUARANTINED, "visitor_id: required value is missing")
def no_visitor(site: Site) -> None:
    site.add("events", {"visitor": None})


@CHAPTER.fault(
    "a collector that writes 'undefined' where it knows nobody",
    EVENTS,
    QUARANTINED,
    "visitor_id: is a placeholder, which would be one customer: undefined",
)
def placeholder(site: Site) -> None:
    site.add("events", {"visitor": "undefined"})


@CHAPTER.fault(
    "a float as an id",
    "accounts.jsonl",
    QUARANTINED,
    "account_id: was written as a floating-point number: 1234.0",
)
def float_id(site: Site) -> None:
    site.add("accounts", {"email": 1234.0})


@CHAPTER.fault(
    "an id that a spreadsheet rounded",
    PAYMENTS,
    QUARANTINED,
    "payment_id: was written as a floating-point number: 9.22337E+18",
)
def rounded_id(site: Site) -> None:
    site.add("payments", {"booking": "9.22337E+18"})


@CHAPTER.fault("a negative price", SUBSCRIPTIONS, QUARANTINED, "amount: is less than 0: -12.90")
def negative_price(site: Site) -> None:
    site.add("subscriptions", {"price": "-12,90"})


@CHAPTER.fault(
    "an amount with its currency in it",
    PAYMENTS,
    QUARANTINED,
    "amount: cannot be read as decimal(18,4): 12.90 EUR",
)
def amount_with_unit(site: Site) -> None:
    site.add("payments", {"sum": "12.90 EUR"})


@CHAPTER.fault(
    "an amount with separators of thousands",
    PAYMENTS,
    QUARANTINED,
    "amount: cannot be read as decimal(18,4): 1,234.50",
)
def thousands(site: Site) -> None:
    site.add("payments", {"sum": "1,234.50"})


@CHAPTER.fault(
    "a currency that is none", PAYMENTS, QUARANTINED, "currency: has not the form due: euro"
)
def no_currency(site: Site) -> None:
    site.add("payments", {"currency": "euro"})


@CHAPTER.fault(
    "a rate that is not a number",
    "exchange_rates.csv",
    QUARANTINED,
    "rate: cannot be read as double: NaN",
)
def nan_rate(site: Site) -> None:
    site.add("exchange_rates", {"eur": "NaN"})


@CHAPTER.fault("a rate of zero", "exchange_rates.csv", QUARANTINED, "rate: is less than 1e-09: 0")
def zero_rate(site: Site) -> None:
    site.add("exchange_rates", {"eur": "0"})


@CHAPTER.fault(
    "half an impression",
    "ad_revenue/2026-06.csv",
    QUARANTINED,
    "impressions: cannot be read as bigint: 3.5",
)
def half_an_impression(site: Site) -> None:
    site.add("ad_revenue", {"impressions": "3.5"})


@CHAPTER.fault(
    "a date with its day first",
    PAYMENTS,
    QUARANTINED,
    "paid_at: cannot be read as timestamp: 31.05.2026 10:00:00",
)
def day_first(site: Site) -> None:
    site.add("payments", {"booked_at": "31.05.2026 10:00:00"})


@CHAPTER.fault(
    "a day that no calendar has",
    PAYMENTS,
    QUARANTINED,
    "paid_at: cannot be read as timestamp: 2026-02-30 10:00:00",
)
def impossible_date(site: Site) -> None:
    site.add("payments", {"booked_at": "2026-02-30 10:00:00"})


@CHAPTER.fault(
    "a year of two digits, which reads as the year 26",
    "costs.csv",
    QUARANTINED,
    "day: lies before 1990-01-01: 26-05-31",
)
def short_year(site: Site) -> None:
    site.add("costs", {"date": "26-05-31"})


@CHAPTER.fault(
    "a clock that was never set: zero, which reads as 1970",
    EVENTS,
    QUARANTINED,
    "occurred_at: lies before 1990-01-01: 1970-01-01 00:00:00",
)
def zero_instant(site: Site) -> None:
    site.add("events", {"ts": 0})


@CHAPTER.fault(
    "an event of the year 2096",
    EVENTS,
    QUARANTINED,
    "occurred_at: lies in the future: 2096-10-02 07:06:40",
)
def future_event(site: Site) -> None:
    # 4,000,000,000 seconds after 1970.
    site.add("events", {"ts": 4_000_000_000_000})


@CHAPTER.fault(
    "microseconds where milliseconds were mapped",
    EVENTS,
    QUARANTINED,
    "occurred_at: lies in the future: 58",
)
def microseconds(site: Site) -> None:
    site.add("events", {"ts": 1_782_000_000_000_000})


@CHAPTER.fault(
    "a version from the future, which no later one could ever beat",
    SUBSCRIPTIONS,
    QUARANTINED,
    "updated_at: lies in the future: 2090-01-01 00:00:00",
)
def future_version(site: Site) -> None:
    site.add("subscriptions", {"changed": "2090-01-01 00:00:00"})


@CHAPTER.fault(
    "a subscription that ends before it starts",
    SUBSCRIPTIONS,
    QUARANTINED,
    "ended_at: lies before started_at: 2025-01-01 00:00:00",
)
def ends_before_it_starts(site: Site) -> None:
    site.add("subscriptions", {"from": "2025-01-02 00:00:00", "to": "2025-01-01 00:00:00"})


@CHAPTER.fault(
    "a state nobody agreed on",
    SUBSCRIPTIONS,
    QUARANTINED,
    "status: is not in the contract's list: cancelled",
)
def unknown_state(site: Site) -> None:
    site.add("subscriptions", {"state": "cancelled"})


@CHAPTER.fault(
    "a kind of event nobody agreed on",
    EVENTS,
    QUARANTINED,
    "event_type: is not in the contract's list: hover",
)
def unknown_event(site: Site) -> None:
    site.add("events", {"type": "hover"})


@CHAPTER.fault("eleven points of ten", "surveys.csv", QUARANTINED, "score: is more than 10: 11")
def eleven_of_ten(site: Site) -> None:
    site.add("surveys", {"score": "11"})


@CHAPTER.fault(
    "a reader born in the year 85",
    "accounts.jsonl",
    QUARANTINED,
    "birth_year: is less than 1900: 85",
)
def ancient_reader(site: Site) -> None:
    site.add("accounts", {"birth_year": 85})


@CHAPTER.fault(
    "a consent of nobody", "consents.csv", QUARANTINED, "needs one of account_id, visitor_id"
)
def nobodys_consent(site: Site) -> None:
    site.add("consents", {"customer": "", "visitor": ""})


@CHAPTER.fault(
    "a consent that is neither yes nor no",
    "consents.csv",
    QUARANTINED,
    "granted: required value is missing",
)
def unclear_consent(site: Site) -> None:
    site.add("consents", {"granted": "perhaps"})


@CHAPTER.fault("a NUL byte in a key", PAYMENTS, QUARANTINED, "payment_id: holds a NUL byte")
def nul_in_key(site: Site) -> None:
    site.add("payments", {"booking": "P00000000\0"})


@CHAPTER.fault(
    "a headline as long as an article", "content.jsonl.gz", QUARANTINED, "title: is longer than 500"
)
def long_title(site: Site) -> None:
    site.add("content", {"headline": "x" * 10_000})


@CHAPTER.fault("an address of 5,000 letters", EVENTS, QUARANTINED, "url: is longer than 2048")
def long_address(site: Site) -> None:
    site.add("events", {"url": "https://jarvisanomat.example/" + "a" * 5000})


@CHAPTER.fault(
    "free text where a code is due", "surveys.csv", QUARANTINED, "reason: is longer than 64"
)
def free_text(site: Site) -> None:
    site.add("surveys", {"reason": "En ehdi lukea, ja naapurin Pekka lainaa minulle lehtensä " * 2})


@CHAPTER.fault(
    "formulas for whoever opens an export in a spreadsheet",
    "content.jsonl.gz",
    QUARANTINED,
    "section: reads like the formula of a spreadsheet",
    rows=2,
)
def csv_injection(site: Site) -> None:
    site.add(
        "content",
        {"section": '=HYPERLINK("https://evil.example";"kotiseutu")'},
        {"section": "@SUM(1+9)*cmd|' /C calc'!A0"},
    )


@CHAPTER.fault(
    "an e-mail address in a text column",
    "feedback.jsonl",
    QUARANTINED,
    "theme: holds an e-mail address",
)
def address_in_text(site: Site) -> None:
    site.add("feedback", {"theme": "liisa.virtanen@example.fi"})


@CHAPTER.fault(
    "an e-mail address in the path of a page", EVENTS, QUARANTINED, "url: holds an e-mail address"
)
def address_in_path(site: Site) -> None:
    site.add("events", {"url": "https://jarvisanomat.example/reset/liisa%40example.fi"})


@CHAPTER.fault(
    "a telephone number in a text column",
    "surveys.csv",
    QUARANTINED,
    "reason: holds a telephone number",
)
def number_in_text(site: Site) -> None:
    site.add("surveys", {"reason": "soita 040-123 4567"})


@CHAPTER.fault(
    "the address of a reader's computer in a text column",
    EVENTS,
    QUARANTINED,
    "campaign: holds the address of a computer",
)
def computer_in_text(site: Site) -> None:
    site.add("events", {"campaign": "192.168.10.20"})


@CHAPTER.fault(
    "the header once more in the middle of a file",
    PAYMENTS,
    QUARANTINED,
    "paid_at: cannot be read as timestamp: booked_at",
)
def second_header(site: Site) -> None:
    rows = site.rows("payments")
    site.replace("payments", [*rows[:100], {name: name for name in rows[0]}, *rows[100:]])


@CHAPTER.fault(
    "a line of totals at the end of a file",
    PAYMENTS,
    QUARANTINED,
    "account_id: required value is missing",
)
def totals_line(site: Site) -> None:
    rows = site.rows("payments")
    empty = dict.fromkeys(rows[0], "")
    site.append("payments", [{**empty, "booking": "Total", "sum": "10812.50"}])
