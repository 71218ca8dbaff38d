"""The demo's data is what its truths say."""

import datetime as dt
import hashlib
import json
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from orchestration import landing, pseudonyms, publisher, settings
from orchestration.contracts import contracts
from orchestration.demo import make_demo
from orchestration.demo.calendar import Calendar
from orchestration.settings import Home, utc_now

# The night on which the clocks change, 29 March 2026, lies within.
SMALL: dict[str, Any] = {"scale": 0.1, "days": 30, "last_day": dt.date(2026, 4, 20)}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("demo")
    make_demo(home / "source", **SMALL)
    return home


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def truths(home: Path) -> dict[str, Any]:
    return dict(json.loads((home / "source" / "truths.json").read_text()))


def events(home: Path, query: str) -> list[tuple[Any, ...]]:
    files = home / "source" / "events" / "*.parquet"
    connection = duckdb.connect()
    connection.execute("set TimeZone = 'UTC'")
    connection.execute(f"create view events as from read_parquet('{files}', filename = true)")
    return connection.execute(query).fetchall()


def test_the_same_seed_gives_the_same_bytes(made: Path, tmp_path: Path) -> None:
    make_demo(tmp_path, **SMALL)
    assert digests(tmp_path) == digests(made / "source")


def test_another_seed_gives_other_bytes(made: Path, tmp_path: Path) -> None:
    make_demo(tmp_path, seed=2, **SMALL)
    assert digests(tmp_path)["payments.csv"] != digests(made / "source")["payments.csv"]


def test_landing_finds_exactly_the_rows_and_bad_rows_that_were_planted(
    made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARVO_HOME", str(made))
    stated = publisher.load(settings.project_root() / "publishers" / "demo" / "publisher.yml")
    home = Home(made)
    for folder in (home.landing, home.quarantine, home.build):
        folder.mkdir(exist_ok=True)
    planted = truths(made)["feeds"]
    assert planted.keys() == stated.feeds.keys() == contracts().keys()
    for feed, config in stated.feeds.items():
        landed = landing.land(home, config, pseudonyms.key(home), utc_now())
        good = sum(m.landed_count for m in landed.new)
        bad = sum(m.quarantined_count for m in landed.new)
        counts = planted[feed]
        assert (good, bad) == (counts["rows"] - counts["bad_rows"], counts["bad_rows"]), feed
        keys = ", ".join(contracts()[feed].key)
        files = home.landing / feed / "**" / "*.parquet"
        distinct = duckdb.connect().sql(
            f"select count(*) from (select distinct {keys} from '{files}')"
        )
        assert distinct.fetchall() == [(counts["distinct_good_keys"],)], feed


def test_bad_rows_are_planted_and_few(made: Path) -> None:
    counts = truths(made)["feeds"]
    assert {feed for feed, count in counts.items() if count["bad_rows"]} >= {
        "events",
        "content",
        "accounts",
        "payments",
        "ad_revenue",
        "costs",
        "exchange_rates",
        "consents",
    }
    for feed, count in counts.items():
        assert count["bad_rows"] <= 0.01 * count["rows"], feed


def test_some_events_come_late_and_some_come_twice(made: Path) -> None:
    [(late, twice, twice_elsewhere)] = events(
        made,
        """
        select
            (select count(*) from events where received - ts > 3600000),
            (select count(*) - count(distinct id) from events),
            (
                select count(*)
                from (select id from events group by id having count(distinct filename) > 1)
            )
        """,
    )
    assert late > 50
    assert twice > twice_elsewhere > 10
    assert truths(made)["feeds"]["events"]["repeated_good_rows"] <= twice


def test_files_of_somebody_else_are_left_alone(tmp_path: Path) -> None:
    theirs = tmp_path / "events" / "notes.txt"
    theirs.parent.mkdir()
    theirs.write_text("keep")
    outdated = tmp_path / "events" / "2020-01-01.parquet"
    outdated.write_bytes(b"of an earlier demo")
    make_demo(tmp_path, scale=0.01, days=10)
    assert theirs.read_text() == "keep"
    assert not outdated.exists()


def test_every_bill_of_an_active_period_is_paid_and_nothing_else(made: Path) -> None:
    source = made / "source"
    connection = duckdb.connect()
    connection.execute(
        f"""
        create view periods as
        select
            subscription,
            cast("from" as timestamp) as began,
            coalesce(try_cast("to" as timestamp), timestamp '2026-04-21 00:00:00') as ended,
            cast(replace(price, ',', '.') as double) as price
        from read_csv('{source}/subscriptions.csv.gz', delim = ';', all_varchar = true)
        where state = 'active' and try_cast("from" as timestamp) is not null
            and try_cast(replace(price, ',', '.') as double) is not null;

        create view bills as
        select subscription, cast(booked_at as timestamp) as paid, cast(sum as double) as paid_sum
        from read_csv('{source}/payments.csv', all_varchar = true)
        where type = 'subscription' and try_cast(booked_at as timestamp) is not null
            and try_cast(sum as double) is not null;
        """
    )
    unfounded = connection.execute(
        """
        select count(*) from bills
        where not exists (
            select 1 from periods
            where periods.subscription = bills.subscription and price = paid_sum
                and paid >= began and paid < ended
        )
        """
    ).fetchall()
    unpaid = connection.execute(
        """
        select count(*) from periods
        where not exists (
            select 1 from bills
            where bills.subscription = periods.subscription and paid = began
        )
        """
    ).fetchall()
    assert connection.execute("select count(*) > 100 from bills").fetchall() == [(True,)]
    assert unfounded == [(0,)]
    assert unpaid == [(0,)]


def test_the_clock_reads_on_when_it_is_put_forward_or_back() -> None:
    four = np.array([4 * 3600])
    spring, autumn = dt.date(2026, 3, 29), dt.date(2026, 10, 25)
    # From 3 to 4 in spring: four o'clock comes three hours after midnight; in autumn after five.
    assert Calendar(spring, 1).elapsed(0, four).tolist() == [3 * 3600]
    assert Calendar(autumn, 1).elapsed(0, four).tolist() == [5 * 3600]
    assert Calendar(dt.date(2026, 6, 1), 1).elapsed(0, four).tolist() == [4 * 3600]


def test_a_file_holds_what_was_received_on_its_day(made: Path) -> None:
    strays = events(
        made,
        """
        select count(*) from events
        where cast(timezone('Europe/Helsinki', make_timestamptz(received * 1000)) as date)
            <> cast(parse_filename(filename, true) as date)
            and cast(parse_filename(filename, true) as date) < date '2026-04-20'
        """,
    )
    assert strays == [(0,)]


def test_the_news_event_draws_a_crowd(made: Path) -> None:
    news = truths(made)["planted"]["news_event"]
    ranked = events(
        made,
        f"""
        select article, count(*) as views from events
        where type = 'view' and article is not null
            and cast(make_timestamp(ts * 1000) as date) = date '{news["day"]}'
        group by article order by views desc limit 1
        """,
    )
    assert ranked[0][0] == news["content_id"]


def test_readers_sleep_at_night_also_when_the_clocks_change(made: Path) -> None:
    # The clocks of Finland go from 3 to 4 on 29 March 2026: no local hour 3 on that night.
    hours = dict(
        events(
            made,
            """
            select
                hour(timezone('Europe/Helsinki', make_timestamptz(ts * 1000))) as hour, count(*)
            from events group by hour
            """,
        )
    )
    assert hours[3] * 4 < hours[20]
    assert events(
        made,
        """
        select count(*) from events
        where make_timestamp(ts * 1000) >= timestamp '2026-03-28 22:00:00'
            and make_timestamp(ts * 1000) < timestamp '2026-03-29 21:00:00'
        """,
    ) > [(0,)]
