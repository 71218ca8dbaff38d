"""The demo's data is what its truths say."""

import datetime as dt
import hashlib
import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

from orchestration import landing, pseudonyms, publisher, settings
from orchestration.contracts import contracts
from orchestration.demo import make_demo
from orchestration.refresh import utc_now
from orchestration.settings import Home

SMALL: dict[str, Any] = {"scale": 0.02, "days": 100, "last_day": dt.date(2026, 4, 30)}


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
        # Ten bad rows are more than a small file tolerates.
        generous = config.__class__(**{**vars_of(config), "tolerated_bad_share": 0.2})
        landed = landing.land(home, generous, pseudonyms.key(home), utc_now())
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


def vars_of(config: publisher.FeedConfig) -> dict[str, Any]:
    return {name: getattr(config, name) for name in config.__dataclass_fields__}


def test_some_events_come_late_and_some_come_twice(made: Path) -> None:
    [(late, twice)] = events(
        made,
        """
        select
            count(*) filter (where received - ts > 3600000),
            count(*) - count(distinct id)
        from events
        """,
    )
    assert late > 50
    assert twice > 50


def test_a_file_holds_what_was_received_on_its_day(made: Path) -> None:
    strays = events(
        made,
        """
        select count(*) from events
        where cast(timezone('Europe/Helsinki', make_timestamptz(received * 1000)) as date)
            <> cast(parse_filename(filename, true) as date)
            and cast(parse_filename(filename, true) as date) < date '2026-04-30'
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
