"""Files become batches: mapped, typed, judged, pseudonymised, and committed whole or not at all."""

import datetime as dt
import gzip
import hashlib
import hmac
import json
import os
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from orchestration import batches, landing, publisher, warehouse
from orchestration.contracts import contracts
from orchestration.errors import ConfigurationError, RefusedError
from orchestration.landing import Landed
from orchestration.publisher import FeedConfig
from orchestration.settings import Home
from orchestration.sources import files

NOW = dt.datetime(2024, 6, 1)
SECRET = b"0123456789abcdef0123456789abcdef"
PAYMENT = {"currency": "'EUR'", "kind": "'purchase'"}


class Site:
    """A home, and one feed's files beside it."""

    def __init__(self, folder: Path) -> None:
        """Nothing has landed."""
        self.folder = folder
        self.home = Home(folder / "home")
        for path in (self.home.landing, self.home.quarantine, self.home.build):
            path.mkdir(parents=True)

    def write(self, name: str, content: str | bytes, *, hours: int = 0) -> Path:
        """A source file, last changed so many hours after the others."""
        path = self.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        at = NOW.replace(tzinfo=dt.UTC).timestamp() + 3600 * hours
        os.utime(path, (at, at))
        return path

    def config(self, feed: str, files: str, **stated: Any) -> FeedConfig:
        """The feed's configuration, as publisher.yml gives it."""
        path = self.folder / "publisher.yml"
        head = {"publisher": "x", "time_zone": "Europe/Helsinki", "currency": "EUR"}
        path.write_text(json.dumps({**head, "feeds": {feed: {"files": files, **stated}}}))
        return publisher.load(path).feeds[feed]

    def land(self, feed: str, files: str, **stated: Any) -> Landed:
        """Lands what is new."""
        return landing.land(self.home, self.config(feed, files, **stated), SECRET, NOW)

    def rows(self, feed: str, columns: str) -> list[tuple[Any, ...]]:
        """What lies in the active batches."""
        files = [
            str(self.home.landing / feed / manifest.batch_id / part.name)
            for manifest in batches.committed(self.home, feed)
            for part in manifest.parts
        ]
        return (
            duckdb.connect()
            .sql(f"select {columns} from read_parquet({files}) order by all")
            .fetchall()
        )

    def quarantined(self, feed: str) -> list[tuple[Any, ...]]:
        """The bad rows, with where they stood and why they are bad."""
        files = self.home.quarantine / feed / "*.parquet"
        query = f"select source_row, reasons, source from '{files}' order by all"
        return duckdb.connect().sql(query).fetchall()


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def pseudonym(kind: str, raw: str) -> str:
    """What the identifier becomes, by Python's own HMAC."""
    return hmac.new(SECRET, f"{kind}:{raw}".encode(), hashlib.sha256).hexdigest()


def test_rows_are_mapped_typed_and_pseudonymised(site: Site) -> None:
    site.write("p.csv", "id;who;when;sum\r\n1; Liisa ;2024-05-01 12:00:00+03;12,50\r\n")
    columns = {"payment_id": "id", "account_id": "who", "paid_at": '"when"'}
    landed = site.land(
        "payments",
        "p.csv",
        options={"delim": ";"},
        columns={**columns, "amount": "replace(sum, ',', '.')", **PAYMENT},
    )
    assert [m.landed_count for m in landed.new] == [1]
    assert site.rows("payments", "payment_id, account_id, paid_at, amount, subscription_id") == [
        (
            "1",
            pseudonym("account", "Liisa"),
            dt.datetime(2024, 5, 1, 9),
            Decimal("12.5000"),
            None,
        )
    ]


LINES = "payment_id,account_id,paid_at,amount\n1,ä,2024-05-01,5\n"
NAMES = ["payment_id", "account_id", "paid_at", "amount"]
FIXED_WIDTH = {
    "options": {"format": "csv", "header": False, "delim": "\t", "columns": ["line"]},
    "columns": {
        "payment_id": "ltrim(line[1:3], '0')",
        "account_id": "line[4:11]",
        "paid_at": "strptime(line[12:19], '%Y%m%d')",
        "amount": "line[20:26]",
    },
}
JSON = '{"payment_id": 1, "account_id": "ä", "paid_at": "2024-05-01", "amount": 5}\n'


@pytest.mark.parametrize(
    ("name", "content", "stated"),
    [
        ("f.csv", LINES.encode(), {}),
        ("f.csv", b"\xef\xbb\xbf" + LINES.encode(), {}),
        (
            "f.csv",
            LINES.replace(",", "|").encode("cp1252"),
            {"options": {"delim": "|", "encoding": "cp1252"}},
        ),
        (
            "f.csv",
            LINES.split("\n")[1].encode(),
            {"options": {"header": False, "columns": NAMES}},
        ),
        ("f.csv.gz", gzip.compress(LINES.encode()), {}),
        ("f.csv.zst", pa.Codec("zstd").compress(LINES.encode(), asbytes=True), {}),
        ("f.jsonl", JSON.encode(), {}),
        ("f.txt", "001ä       20240501   5.00\n".encode(), FIXED_WIDTH),
    ],
    ids=["csv", "byte-order mark", "cp1252", "no header", "gz", "zst", "json lines", "fixed width"],
)
def test_the_same_row_lands_from_every_kind_of_file(
    site: Site, name: str, content: bytes, stated: dict[str, Any]
) -> None:
    site.write(name, content)
    columns = {**stated.get("columns", {}), **PAYMENT}
    site.land("payments", name, options=stated.get("options", {}), columns=columns)
    assert site.rows("payments", "payment_id, account_id, paid_at, amount") == [
        ("1", pseudonym("account", "ä"), dt.datetime(2024, 5, 1), Decimal(5))
    ]


def test_a_bad_row_goes_to_quarantine_whole_with_all_its_reasons(site: Site) -> None:
    rows = "\n".join(
        [
            "payment_id,account_id,paid_at,amount,currency,kind",
            "1,a,2024-05-01,5,EUR,purchase",
            ",a,2024-02-30,x,euro,gift",
            "2,a,2030-01-01,5,EUR,purchase",
        ]
    )
    site.write("p.csv", rows + "\n")
    landed = site.land("payments", "p.csv", tolerated_bad_share=1)
    assert [(m.landed_count, m.quarantined_count) for m in landed.new] == [(1, 2)]
    (_, reasons, source), (_, future, _) = site.quarantined("payments")
    assert [reason.split(":")[0] for reason in reasons] == [
        "payment_id",
        "paid_at",
        "amount",
        "currency",
        "kind",
    ]
    assert json.loads(source)["paid_at"] == "2024-02-30"
    assert [reason.split(":")[0] for reason in future] == ["paid_at"]


def test_an_identifier_beyond_2_to_the_53_keeps_every_digit(site: Site) -> None:
    big = "-8845298781299428018"
    site.write("c.jsonl", f'{{"content_id": {big}, "title": "x"}}\n')
    site.land("content", "c.jsonl")
    assert site.rows("content", "content_id") == [(big,)]


def test_landing_the_same_file_twice_lands_nothing(site: Site) -> None:
    site.write("c.csv", "content_id\na\n")
    assert len(site.land("content", "*.csv").new) == 1
    again = site.land("content", "*.csv")
    assert again.new == ()
    # Neither does a copy of it under another name.
    site.write("copy.csv", "content_id\na\n")
    assert site.land("content", "*.csv").new == ()


def test_a_file_that_several_patterns_name_is_found_once(tmp_path: Path) -> None:
    for name in ("b.csv", "a.csv", "folder.csv/c.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    patterns = (f"{tmp_path}/*.csv", f"{tmp_path}/./b.csv", f"{tmp_path}//**/*.csv")
    named = ("a.csv", "b.csv", "folder.csv/c.csv")
    assert sorted(files.find(patterns)) == [tmp_path / name for name in named]


def test_a_file_that_grew_is_a_new_batch(site: Site) -> None:
    site.write("c.csv", "content_id\na\n")
    site.land("content", "*.csv")
    site.write("c.csv", "content_id\na\nb\n", hours=1)
    assert [m.landed_count for m in site.land("content", "*.csv").new] == [2]
    assert set(site.rows("content", "content_id")) == {("a",), ("b",)}


def test_an_older_content_that_comes_back_is_the_latest_word(site: Site) -> None:
    site.write("c.csv", "content_id,title\na,one\n")
    site.land("content", "*.csv")
    site.write("c.csv", "content_id,title\na,two\n", hours=1)
    site.land("content", "*.csv")
    site.write("c.csv", "content_id,title\na,one\n", hours=2)
    site.land("content", "*.csv")
    latest = site.rows("content", "source_modified_at, title")[-1]
    assert latest == (NOW + dt.timedelta(hours=2), "one")


def test_a_vanished_column_refuses_the_file_and_a_new_one_is_only_noted(site: Site) -> None:
    site.write("a.csv", "content_id,title\na,one\n")
    site.land("content", "*.csv")
    site.write("b.csv", "content_id,title,colour\nb,two,red\n", hours=1)
    [noted] = site.land("content", "*.csv").new
    assert noted.ignored_columns == ("colour",)
    site.write("c.csv", "content_id,headline\nc,three\n", hours=2)
    with pytest.raises(RefusedError, match="no longer has the column 'title'"):
        site.land("content", "*.csv")
    assert {row[0] for row in site.rows("content", "content_id")} == {"a", "b"}


def test_too_many_bad_rows_refuse_the_file_with_counts_and_examples(site: Site) -> None:
    site.write("c.csv", "content_id,is_premium\na,yes\nb,perhaps\nc,maybe\n")
    with pytest.raises(RefusedError) as raised:
        site.land("content", "*.csv")
    told = str(raised.value)
    assert "2 of its 3 rows are bad" in told
    assert "row 2: is_premium: cannot be read as boolean: perhaps" in told
    assert "row 3: is_premium: cannot be read as boolean: maybe" in told
    assert batches.committed(site.home, "content") == []


def test_where_leaves_rows_out_without_calling_them_bad(site: Site) -> None:
    site.write("c.csv", "content_id,type\na,article\nb,advert\n")
    [landed] = site.land("content", "*.csv", where="type = 'article'").new
    assert (landed.landed_count, landed.filtered_count, landed.quarantined_count) == (1, 1, 0)


def test_a_mapping_that_does_not_fit_the_source_is_a_mistake_of_the_mapping(site: Site) -> None:
    site.write("c.csv", "content_id,headline\na,b\n")
    with pytest.raises(ConfigurationError, match="no column 'hedline'.*headline"):
        site.land("content", "*.csv", columns={"title": "hedline"})


def test_events_land_by_their_local_day(site: Site) -> None:
    # 22:30 UTC on 30 March is 00:30 in Helsinki on the 31st, the night the clocks change;
    # 21:30 UTC on the 31st is already summer time there, half an hour into April.
    site.write(
        "e.csv",
        "event_id,occurred_at,visitor_id,event_type\n"
        "1,2024-03-30T21:59:59Z,v,page_view\n"
        "2,2024-03-30T22:30:00Z,v,page_view\n"
        "3,2024-03-31T20:59:59Z,v,page_view\n"
        "4,2024-03-31T21:30:00Z,v,page_view\n",
    )
    [landed] = site.land("events", "e.csv").new
    assert landed.days == {
        dt.date(2024, 3, 30): 1,
        dt.date(2024, 3, 31): 2,
        dt.date(2024, 4, 1): 1,
    }


def test_addresses_land_without_what_may_name_a_person(site: Site) -> None:
    site.write(
        "e.csv",
        "event_id,occurred_at,visitor_id,event_type,url\n"
        "1,2024-03-30T21:59:59Z,v,page_view,https://x.fi/a?email=liisa@x.fi#top\n",
    )
    site.land("events", "e.csv")
    assert site.rows("events", "url") == [("https://x.fi/a",)]


def test_the_key_is_nowhere_in_the_home(site: Site) -> None:
    site.write("p.csv", "payment_id,account_id,paid_at,amount\n1,liisa,2024-05-01,5\n")
    site.land("payments", "p.csv", columns=PAYMENT)
    for path in site.home.root.rglob("*"):
        if path.is_file():
            assert SECRET not in path.read_bytes()
            assert b"liisa" not in path.read_bytes()


def test_what_a_killed_landing_left_is_no_batch(site: Site) -> None:
    site.write("c.csv", "content_id\na\n")
    folder = batches.incoming(site.home, "content", "0" * 32)
    (folder / "part.parquet").write_bytes(b"half a file")
    assert batches.committed(site.home, "content") == []
    batches.clean(site.home)
    assert not folder.exists()
    assert len(site.land("content", "*.csv").new) == 1


def test_a_period_may_end_at_the_instant_it_starts_and_no_earlier(site: Site) -> None:
    head = (
        "subscription_id,account_id,plan,status,amount,currency,billing_period,started_at,ended_at"
    )
    same, before = (
        "2024-05-01T00:00:00Z,2024-05-01T00:00:00Z",
        "2024-05-01T00:00:01Z,2024-05-01T00:00:00Z",
    )
    rows = [
        f"{name},a,digital,active,5,EUR,month,{times}"
        for name, times in (("s1", same), ("s2", before))
    ]
    site.write("s.csv", "\n".join([head, *rows]) + "\n")
    site.land("subscriptions", "s.csv", tolerated_bad_share=1)
    assert site.rows("subscriptions", "subscription_id") == [("s1",)]
    [(_, reasons, _)] = site.quarantined("subscriptions")
    assert reasons == ["ended_at: lies before started_at: 2024-05-01T00:00:00Z"]


def test_a_column_that_must_not_lie_before_another_names_one_of_its_feed() -> None:
    stated = {
        (feed, column.name, column.not_before)
        for feed, contract in contracts().items()
        for column in contract.columns
        if column.not_before
    }
    assert stated == {("subscriptions", "ended_at", "started_at")}
    assert all(contracts()[feed].column(other) for feed, _, other in stated)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("=1+1", "reads like the formula of a spreadsheet"),
        ("+cmd|' /C calc'!A0", "reads like the formula of a spreadsheet"),
        ("-2 astetta", None),
        ("@jarvisanomat", None),
        ("liisa@example.fi", "holds an e-mail address"),
        ("soita 040-123 4567", "holds a telephone number"),
        ("Vuosien 1917-1918 sota", None),
        ("10.0.255.3", "holds the address of a computer"),
        ("yksi\nkaksi", "holds a line break, and perhaps the rows that follow"),
    ],
)
def test_what_no_text_may_hold_is_told_and_not_quoted(
    site: Site, value: str, told: str | None
) -> None:
    site.write("c.csv", f'content_id,title\na,"{value}"\n')
    site.land("content", "c.csv", tolerated_bad_share=1)
    reasons = [reasons for _, reasons, _ in site.quarantined("content")] if told else []
    assert reasons == ([[f"title: {told}"]] if told else [])
    assert len(site.rows("content", "content_id")) == (0 if told else 1)


@pytest.mark.parametrize(
    ("raw", "is_float"),
    [
        ("1234.0", True),
        ("9.22337E+18", True),
        ("1e+16", True),
        ("1.4563212", False),
        ("5e10", False),
    ],
)
def test_an_id_written_as_a_floating_point_number_is_known_by_its_form(
    site: Site, raw: str, is_float: bool
) -> None:
    site.write("c.csv", f"content_id\n{raw}\n")
    [landed] = site.land("content", "c.csv", tolerated_bad_share=1).new
    assert landed.quarantined_count == int(is_float)


def test_every_member_of_a_compressed_file_lands(site: Site) -> None:
    # As `cat monday.csv.gz tuesday.csv.gz` makes it.
    site.write("c.csv.gz", gzip.compress(b"content_id\na\n") + gzip.compress(b"b\n"))
    site.land("content", "c.csv.gz")
    assert site.rows("content", "content_id") == [("a",), ("b",)]


def test_a_text_that_is_right_in_its_encoding_is_never_taken_for_another(site: Site) -> None:
    site.write("c.csv", "content_id,title\na,Järvi\n".encode("cp1252"))
    site.land("content", "c.csv", options={"encoding": "cp1252"})
    assert site.rows("content", "title") == [("Järvi",)]


def test_a_query_over_a_feed_is_planned_with_about_as_many_rows_as_it_has(site: Site) -> None:
    # A late event alone in a file; DuckDB takes the first file's length for that of all.
    for number, count in enumerate([1, 1000, 1000, 1, 1000]):
        at = f"2024-05-{10 + number}T10:00:00Z"
        rows = (f"{number}-{row},{at},v,page_view\n" for row in range(count))
        site.write(
            f"events{number}.csv", "event_id,occurred_at,visitor_id,event_type\n" + "".join(rows)
        )
    site.land("events", "events*.csv")
    manifests = sorted(batches.committed(site.home, "events"), key=lambda m: m.landed_count)
    sql = warehouse.feed_sql(contracts()["events"], site.home, manifests)
    plan = duckdb.connect().execute(f"explain select event_id from ({sql})").fetchall()[0][1]
    told = re.search(r"Read Parquet.*?~([\d,]+) rows", plan, re.S)
    assert told is not None
    assert 3003 / 2 < int(told[1].replace(",", "")) < 3003 * 2
