"""Faults of whole files: cut off, damaged, written otherwise, or changed in their columns."""

import gzip

import pyarrow as pa

from orchestration import landing
from tests.faults.fault import ACCEPTED, QUARANTINED, REFUSED, Chapter, Holds
from tests.faults.site import Met, Site

CHAPTER = Chapter("Files")


def all_rows_land(site: Site, feed: str) -> Holds:
    """That the feed's file lands as many rows as it did undisturbed, and rejects no more."""
    before = site.manifests()[site.file(feed).name]

    def holds(met: Met) -> None:
        [after] = [m for m in met.new if m.feed == feed]
        assert (after.landed_count, after.quarantined_count) == (
            before.landed_count,
            before.quarantined_count,
        )

    return holds


# Cut off and damaged


@CHAPTER.fault(
    "a text file cut off in the middle of its last row",
    "payments.csv",
    QUARANTINED,
    "Expected Number of Columns: 7 Found: 3",
    lost=1,
)
def cut_row(site: Site) -> None:
    rows = site.content("payments").rstrip().split(b"\n")
    rows[-1] = b",".join(rows[-1].split(b",")[:3])
    site.edit("payments", lambda content: b"\n".join(rows))


@CHAPTER.fault(
    "half a JSON object at the end of a file",
    "accounts.jsonl",
    QUARANTINED,
    "line: is not one JSON object",
    lost=1,
)
def half_an_object(site: Site) -> None:
    site.edit("accounts", lambda content: content.rstrip()[:-40])


@CHAPTER.fault(
    "a value with a comma and no quotes around it",
    "payments.csv",
    QUARANTINED,
    "Expected Number of Columns: 7 Found: 8",
    lost=1,
)
def loose_comma(site: Site) -> None:
    site.edit("payments", lambda content: content.replace(b",12.90,", b",12,90,", 1))


@CHAPTER.fault(
    "a quotation mark that is never closed",
    "payments.csv",
    REFUSED,
    "a quotation mark in line 51 is never closed: all that follows it reads as one value",
)
def open_quote(site: Site) -> None:
    rows = site.content("payments").split(b"\n")
    rows[50] = b'"' + rows[50]
    site.edit("payments", lambda content: b"\n".join(rows))


@CHAPTER.fault(
    "two stray quotation marks with rows between them",
    "payments.csv",
    REFUSED,
    "of its … rows are bad, a share of … × payment_id: holds a line break, and perhaps the rows",
)
def swallowed_rows(site: Site) -> None:
    # Read as one value, 20 of 880 rows would be one bad row, which is tolerated.
    rows = site.content("payments").split(b"\n")
    rows[50] = b'"' + rows[50]
    rows[70] = rows[70].replace(b",", b'",', 1)
    site.edit("payments", lambda content: b"\n".join(rows))


@CHAPTER.fault(
    "a zstandard file cut off half-way",
    "costs.csv.zst",
    REFUSED,
    "costs.csv.zst cannot be unpacked (Truncated compressed stream)",
    code=3,
)
def cut_zstd(site: Site) -> None:
    # DuckDB alone reads what is there and takes it for the whole.
    packed = pa.Codec("zstd").compress(site.content("costs"), asbytes=True)
    path = site.source / "costs.csv.zst"
    path.write_bytes(packed[: len(packed) // 2])
    site.configure("feeds", "costs", "files", value=str(path))


@CHAPTER.fault(
    "a compressed file with one bit turned over",
    "subscriptions.csv.gz",
    REFUSED,
    "subscriptions.csv.gz cannot be unpacked (zlib inflate failed: incorrect data check)",
    code=3,
)
def flipped_bit(site: Site) -> None:
    path = site.file("subscriptions")
    content = bytearray(path.read_bytes())
    content[-8] ^= 1  # of the checksum: it fits the rows no longer
    path.write_bytes(content)


@CHAPTER.fault(
    "a compressed file cut off half-way",
    "subscriptions.csv.gz",
    REFUSED,
    "subscriptions.csv.gz cannot be unpacked (Truncated compressed stream)",
    code=3,
)
def cut_gzip(site: Site) -> None:
    path = site.file("subscriptions")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


@CHAPTER.fault(
    "a Parquet file that is still being written",
    "a day of events",
    REFUSED,
    "2026-06-29.parquet is not a readable Parquet file",
    code=3,
)
def cut_parquet(site: Site) -> None:
    path = site.file("events")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


@CHAPTER.fault(
    "a damaged page in the middle of a Parquet file",
    "a day of events",
    REFUSED,
    "2026-06-29.parquet could not be landed: … Nothing of it landed",
    code=3,
)
def damaged_parquet(site: Site) -> None:
    path = site.file("events")
    content = bytearray(path.read_bytes())
    content[4:400] = bytes(396)
    path.write_bytes(content)


@CHAPTER.fault(
    "a file of plain text that is called .gz",
    "subscriptions.csv.gz",
    REFUSED,
    "subscriptions.csv.gz cannot be unpacked (zlib inflate failed: incorrect header check)",
    code=3,
)
def not_gzip(site: Site) -> None:
    path = site.file("subscriptions")
    path.write_bytes(gzip.decompress(path.read_bytes()))


@CHAPTER.fault(
    "a file of no bytes",
    "payments.csv",
    REFUSED,
    "payments.csv has no first line to take column names from",
    code=3,
)
def no_bytes(site: Site) -> None:
    site.edit("payments", lambda content: b"")


@CHAPTER.fault(
    "a block of NUL bytes at the end, as a crash leaves it",
    "payments.csv",
    QUARANTINED,
    "Expected Number of Columns: 7 Found: 1",
)
def nul_block(site: Site) -> None:
    site.edit("payments", lambda content: content + bytes(4096))


@CHAPTER.fault(
    "a list of objects where one object a line is due",
    "feedback.jsonl",
    REFUSED,
    "feedback.jsonl holds no JSON object in its first 20,000 lines",
    code=3,
)
def json_list(site: Site) -> None:
    site.edit("feedback", lambda content: b"[" + content.replace(b"}\n", b"},").rstrip(b",") + b"]")


@CHAPTER.fault(
    "a file that vanishes while it is read",
    "payments.csv",
    REFUSED,
    "payments.csv vanished while it was being read. Nothing of it landed",
    code=3,
)
def vanishing(site: Site) -> None:
    touched(site)
    _meanwhile(site, site.file("payments").unlink)


@CHAPTER.fault(
    "a file that grows while it is read",
    "payments.csv",
    REFUSED,
    "payments.csv changed while it was being read. Nothing of it landed",
    code=3,
)
def growing(site: Site) -> None:
    touched(site)

    def grow() -> None:
        with site.file("payments").open("ab") as stream:
            stream.write(b"P9,liisa@example.fi,2026-06-01 10:00:00,5.00,EUR,purchase,\n")

    _meanwhile(site, grow)


def touched(site: Site) -> None:
    """The payments once more with one more row: there is something to read."""
    site.add("payments", {"booking": "P88888888"})


def _meanwhile(site: Site, happens: object) -> None:
    """Lets something happen after a file was looked at and before its rows are read."""
    staged = landing.staging_sql
    done: list[bool] = []

    def late(*arguments: object, **named: object) -> str:
        if not done:
            done.append(True)
            happens()  # type: ignore[operator]
        return staged(*arguments, **named)  # type: ignore[arg-type]

    site.patch.setattr(landing, "staging_sql", late)


# Written otherwise


@CHAPTER.fault(
    "another delimiter",
    "payments.csv",
    REFUSED,
    "feed 'payments': … payments.csv no longer has the column 'booked_at'",
)
def other_delimiter(site: Site) -> None:
    site.edit("payments", lambda content: content.replace(b",", b";"))


@CHAPTER.fault(
    "UTF-8 where the configuration says cp1252",
    "surveys.csv",
    REFUSED,
    "surveys.csv is UTF-8, but options.encoding says cp1252",
    code=3,
)
def utf8_not_cp1252(site: Site) -> None:
    site.edit("surveys", lambda content: content.decode("cp1252").encode())


@CHAPTER.fault(
    "cp1252 where the configuration says UTF-8",
    "payments.csv",
    REFUSED,
    "of its … rows are bad, a share of … Invalid unicode (byte sequence mismatch)",
)
def cp1252_not_utf8(site: Site) -> None:
    site.edit("payments", lambda content: content.decode().encode("cp1252"))


@CHAPTER.fault(
    "UTF-16, as a spreadsheet saves 'Unicode text'",
    "payments.csv",
    REFUSED,
    "payments.csv cannot be read as utf-8 text",
    code=3,
)
def utf16(site: Site) -> None:
    site.edit("payments", lambda content: content.decode().encode("utf-16"))


@CHAPTER.fault(
    "a byte-order mark before the header of a CSV file",
    "costs.csv",
    ACCEPTED,
    "the mark is no part of the first column's name; every row lands",
)
def csv_byte_order_mark(site: Site) -> Holds:
    holds = all_rows_land(site, "costs")
    site.edit("costs", lambda content: b"\xef\xbb\xbf" + content)
    return holds


@CHAPTER.fault(
    "a byte-order mark before the first JSON object",
    "accounts.jsonl",
    ACCEPTED,
    "the first object lands like the others",
)
def json_byte_order_mark(site: Site) -> Holds:
    holds = all_rows_land(site, "accounts")
    site.edit("accounts", lambda content: b"\xef\xbb\xbf" + content)
    return holds


@CHAPTER.fault(
    "line ends of Windows and blank lines at the end",
    "costs.csv",
    ACCEPTED,
    "every row lands, and no blank one",
)
def windows_lines(site: Site) -> Holds:
    holds = all_rows_land(site, "costs")
    site.edit("costs", lambda content: content.replace(b"\n", b"\r\n") + b"\r\n\r\n")
    return holds


@CHAPTER.fault(
    "line ends of both kinds in one file",
    "costs.csv",
    REFUSED,
    "costs.csv could not be landed: its lines end in different ways",
    code=3,
)
def mixed_lines(site: Site) -> None:
    site.edit("costs", lambda content: content.replace(b"\n", b"\r\n", 5))


@CHAPTER.fault(
    "a line of 3 MB",
    "payments.csv",
    QUARANTINED,
    "Maximum line size of 2097152 bytes exceeded",
)
def endless_line(site: Site) -> None:
    site.add("payments", {"subscription": "S" * 3_000_000})


@CHAPTER.fault(
    "ids beyond 2^53 as numbers",
    "content.jsonl.gz",
    ACCEPTED,
    "the id lands with every digit",
)
def long_ids(site: Site) -> Holds:
    # 2^53 + 1 is the first whole number that a double cannot hold.
    site.add("content", {"id": 9_007_199_254_740_993})

    def holds(met: Met) -> None:
        found = site.landed(
            met, "content", "select content_id from landed where content_id like '9007%'"
        )
        assert found == [("9007199254740993",)]

    return holds


@CHAPTER.fault(
    "bookings in the hour that summer time skips, in local time without its offset",
    "payments.csv and its mapping",
    ACCEPTED,
    "03:30 on the night without a 03:30 is the instant 04:30, and its day is kept",
)
def skipped_hour(site: Site) -> Holds:
    # On 29 March 2026 Finland goes from 03:00 (UTC+2) to 04:00 (UTC+3): 03:30 is 01:30 UTC.
    return _local_times(site, "2026-03-29 03:30:00", "2026-03-29 01:30:00")


@CHAPTER.fault(
    "bookings in the hour that winter time repeats, in local time without its offset",
    "payments.csv and its mapping",
    ACCEPTED,
    "03:30 on the night with two of them is always the later one, and its day is kept",
)
def repeated_hour(site: Site) -> Holds:
    # On 26 October 2025 04:00 (UTC+3) is 03:00 (UTC+2) again: 00:30 and 01:30 UTC are both 03:30.
    return _local_times(site, "2025-10-26 03:30:00", "2025-10-26 01:30:00")


def _local_times(site: Site, local: str, instant: str) -> Holds:
    site.add("payments", {"booking": "P99999999", "booked_at": local})
    site.configure(
        "feeds",
        "payments",
        "columns",
        "paid_at",
        value="timezone('Europe/Helsinki', cast(booked_at as timestamp))",
    )

    def holds(met: Met) -> None:
        found = site.landed(
            met,
            "payments",
            "select paid_at::varchar, cast(timezone('Europe/Helsinki', timezone('UTC', paid_at)) "
            "as date)::varchar from landed where payment_id = 'P99999999'",
        )
        assert found == [(instant, local[:10])]

    return holds


# Other columns


@CHAPTER.fault(
    "a vanished column",
    "a day of events",
    REFUSED,
    "feed 'events': … 2026-06-29.parquet no longer has the column 'article'",
)
def vanished_column(site: Site) -> None:
    site.remake("select * exclude (article) from events")


@CHAPTER.fault(
    "a renamed column",
    "a day of events",
    REFUSED,
    "feed 'events': … 2026-06-29.parquet no longer has the column 'visitor'",
)
def renamed_column(site: Site) -> None:
    site.remake("select * rename (visitor as visitor_uid) from events")


@CHAPTER.fault(
    "a column of another type, which the mapping cannot compute with",
    "a day of events",
    REFUSED,
    "feed 'events', 'occurred_at': DuckDB cannot run it",
    code=2,
)
def changed_type(site: Site) -> None:
    site.remake("select * replace (make_timestamp(ts * 1000) as ts) from events")


@CHAPTER.fault(
    "a new column",
    "a day of events",
    ACCEPTED,
    "it does not land; the batch's manifest names it",
)
def new_column(site: Site) -> Holds:
    site.remake("select *, 'liisa@example.fi' as email from events")

    def holds(met: Met) -> None:
        [manifest] = [m for m in met.new if m.source_name == "2026-06-29.parquet"]
        assert manifest.ignored_columns == ("email",)
        columns = site.landed(met, "events", "select column_name from (describe landed)")
        assert ("email",) not in columns

    return holds


@CHAPTER.fault(
    "two columns of one name",
    "payments.csv",
    REFUSED,
    "payments.csv: two columns are called 'booking'. Rename one at the source",
    code=2,
)
def twin_columns(site: Site) -> None:
    site.edit("payments", lambda content: content.replace(b"subscription\n", b"booking\n", 1))


# The same once more


@CHAPTER.fault(
    "the same file again under another name",
    "payments.csv",
    ACCEPTED,
    "nothing lands twice: land     payments: nothing new",
)
def copied_file(site: Site) -> Holds:
    copy = site.source / "payments copy.csv"
    copy.write_bytes(site.content("payments"))
    site.configure("feeds", "payments", "files", value=["${ARVO_HOME}/source/payments*.csv"])

    def holds(met: Met) -> None:
        assert "land     payments: nothing new" in met.said
        assert met.new == []

    return holds


@CHAPTER.fault(
    "an export of yesterday restored over today's",
    "costs.csv",
    ACCEPTED,
    "it is the latest word again, and lands as a batch of its own",
)
def restored_file(site: Site) -> Holds:
    path = site.file("costs")
    old = path.read_bytes()
    site.add("costs", {"date": "2026-06-29"})
    assert site.refreshed("land").error is None
    site.write(path, old)

    def holds(met: Met) -> None:
        assert [m.feed for m in met.new] == ["costs"]

    return holds


@CHAPTER.fault(
    "a tenth of the rows spoiled at once",
    "payments.csv",
    REFUSED,
    "of its … rows are bad, a share of … where 1.00% is tolerated … × amount: cannot be read",
)
def many_bad_rows(site: Site) -> None:
    rows = site.rows("payments")
    for row in rows[::10]:
        row["sum"] += " €"
    site.replace("payments", rows)
