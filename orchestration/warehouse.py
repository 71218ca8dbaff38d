"""What the models see of landing, and which days of it must be built again.

Everything that changes from run to run reaches dbt through the tables made here (schema
`landing`), never through --vars, which would make dbt parse the whole project again. What dbt
does with it is the dbt project's; how batches get into landing is landing.py's.
"""

import datetime as dt
import hashlib
import re
import zoneinfo
from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path

import duckdb

from orchestration import batches, goals, metrics, settings
from orchestration.batches import Manifest
from orchestration.contracts import Contract, contracts
from orchestration.errors import SystemFailure
from orchestration.publisher import Publisher
from orchestration.settings import Home
from orchestration.sources.files import literal

# Feeds whose rows of a day decide what the event-grain models hold of that day.
DAILY_FEEDS = ("events", "ad_revenue")
# Views of events of more than the days that are built.
MORE_EVENTS = ("all_events", "nearby_events")
# Tables of the schema `landing` that tell something else in every run.
TOLD_ANEW = (
    "batches",
    "daily_rows",
    "quarantine",
    "refreshes",
    "quality_results",
    "published_refreshes",
    "published_metric_values",
    "published_restatements",
    "published_initiative_effects",
    "unpublished_days",
)
# So many events are put in order within the usual 2 GB: DuckDB keeps in memory what it has found
# of each group so far.
EVENTS_AT_ONCE = 10_000_000
# How far from a day that is built its models may look: macros/days.sql refuses to compile more.
DAYS_AROUND = 3
STATE_TABLES = """
create schema if not exists state;
create schema if not exists landing;
create table if not exists state.built_batches (feed varchar, batch_id varchar);
create table if not exists state.pending_days (day date);
create table if not exists state.build (
    fingerprint varchar, is_full boolean, is_complete boolean, build_key varchar
);
alter table state.build add column if not exists as_of_day date;
"""


@dataclass(frozen=True)
class Inputs:
    """All that decides what the marts hold: principle 4 of the design.

    Attributes:
        manifests: Active batches by feed.
        as_of_day: Last local day the marts look at.
        fingerprint: Digest of the models and of the configuration they read.
    """

    manifests: Mapping[str, tuple[Manifest, ...]]
    as_of_day: dt.date
    fingerprint: str

    @property
    def key(self) -> str:
        """Digest of the inputs: equal keys mean equal marts."""
        ids = sorted(f"{feed}/{m.batch_id}" for feed, ms in self.manifests.items() for m in ms)
        text = "\n".join([self.fingerprint, self.as_of_day.isoformat(), *ids])
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Plan:
    """What must be built: everything, or the event-grain rows of some days and the marts.

    Attributes:
        is_full: Whether everything is built anew.
        pending_days: Days whose event-grain rows are built.
        new_batches: Batches that the last complete build did not hold.
        changed_feeds: Feeds whose rows are all that changed since the last complete build; None
            when more did, such as the as-of day.
    """

    is_full: bool
    pending_days: tuple[dt.date, ...]
    new_batches: tuple[Manifest, ...]
    changed_feeds: frozenset[str] | None = None


def inputs(home: Home, publisher: Publisher, as_of: dt.date | None, now: dt.datetime) -> Inputs:
    """The active batches, the as-of day and the fingerprint of the models."""
    manifests = {
        feed: tuple(
            batches.active(
                home,
                feed,
                publisher.feeds[feed].fingerprint if feed in publisher.feeds else None,
            )
        )
        for feed in contracts()
    }
    return Inputs(
        manifests=manifests,
        as_of_day=as_of or publisher.as_of or latest_day(manifests, publisher.time_zone, now),
        fingerprint=fingerprint(publisher),
    )


def latest_day(
    manifests: Mapping[str, Sequence[Manifest]], time_zone: str, now: dt.datetime
) -> dt.date:
    """The latest local day on which something landed happened, never after the clock's today."""
    today = local_day(now, time_zone)
    days = [m.last_day for feed in manifests.values() for m in feed if m.last_day is not None]
    return min(max(days, default=today), today)


def local_day(instant: dt.datetime, time_zone: str) -> dt.date:
    """The local day of an instant (UTC, no zone)."""
    return instant.replace(tzinfo=dt.UTC).astimezone(zoneinfo.ZoneInfo(time_zone)).date()


def fingerprint(publisher: Publisher) -> str:
    """Digest of the dbt project and of what publisher.yml says to the models."""
    stated = (
        publisher.time_zone,
        publisher.currency,
        publisher.grace_days,
        publisher.heartbeat_seconds,
        publisher.min_visit_seconds,
        publisher.calibration_end,
        publisher.assumptions,
        publisher.goals,
        publisher.initiatives,
        sorted(publisher.feeds),
        project_digest(),
    )
    return hashlib.sha256(repr(stated).encode()).hexdigest()


def project_digest() -> str:
    """Digest of all files that decide what dbt builds."""
    digest = hashlib.sha256()
    root = settings.dbt_project_dir()
    for path in sorted(_project_files(root)):
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _project_files(root: Path) -> Iterator[Path]:
    yield from (root / "dbt_project.yml", root / "profiles.yml")
    for folder in ("models", "macros", "seeds", "tests"):
        for pattern in ("*.sql", "*.yml", "*.csv", "*.py"):
            yield from (root / folder).rglob(pattern)
    # What the models in Python call.
    code = settings.project_root() / "orchestration"
    yield from (*code.glob("estimates*.py"), *(code / "estimators").glob("*.py"))


@contextmanager
def connect(home: Home, *, read_only: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to the warehouse; dbt, a process of its own, needs it closed."""
    home.build.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        connection = duckdb.connect(str(home.warehouse), read_only=read_only)
    except duckdb.Error as error:
        raise SystemFailure(
            f"{home.warehouse} cannot be opened ({str(error).splitlines()[0].rstrip('.')}). If "
            "another program has it open, close that; if it is damaged, delete the folder "
            f"{home.build}: it is built again from landing."
        ) from error
    try:
        for statement in limits(home):
            connection.execute(statement)
        yield connection
    finally:
        connection.close()


def limits(home: Home) -> tuple[str, ...]:
    """Settings of every connection to the home's databases: one clock, bounded memory."""
    return (
        "set TimeZone = 'UTC'",
        settings.NO_PROGRESS_BAR,
        f"set memory_limit = {literal(settings.memory_limit())}",
        f"set threads = {settings.threads()}",
        f"set temp_directory = {literal(str(home.build / 'spill'))}",
    )


def is_built(home: Home, wanted: Inputs) -> bool:
    """Whether the warehouse holds the marts of exactly these inputs, every dbt test passed."""
    if not home.warehouse.exists():
        return False
    with connect(home) as connection:
        connection.execute(STATE_TABLES)
        row = connection.execute("select is_complete, build_key from state.build").fetchone()
    return row is not None and row[0] and row[1] == wanted.key


def plan(
    connection: duckdb.DuckDBPyConnection,
    home: Home,
    currency: str,
    wanted: Inputs,
    *,
    full: bool,
) -> Plan:
    """What to build, given what the last complete build held.

    A batch that is gone, other models or another configuration rebuild everything: rows that
    lost against a vanished one may win again on days that its manifest does not name.
    """
    connection.execute(STATE_TABLES)
    built = set(connection.execute("from state.built_batches").fetchall())
    state = connection.execute("from state.build").fetchone()
    unfinished = {row[0] for row in connection.execute("from state.pending_days").fetchall()}
    wanted_ids = {(feed, m.batch_id) for feed, ms in wanted.manifests.items() for m in ms}
    new = tuple(
        m for feed, ms in wanted.manifests.items() for m in ms if (feed, m.batch_id) not in built
    )
    if full or state is None or _must_start_over(state, wanted) or not built <= wanted_ids:
        days = {day for feed in DAILY_FEEDS for m in wanted.manifests[feed] for day in m.days}
        return Plan(True, tuple(sorted(days)), new)
    days = unfinished | {day for m in new if m.feed in DAILY_FEEDS for day in m.days}
    days |= _days_of_repeats(connection, home, [m for m in new if m.feed == "events"])
    days |= _days_of_changed_rates(connection, home, currency, wanted, new)
    _, _, is_complete, _, as_of_day = state
    is_all = is_complete and as_of_day == wanted.as_of_day
    changed = frozenset(m.feed for m in new) if is_all else None
    return Plan(False, tuple(sorted(days)), new, changed)


def _must_start_over(state: tuple[str, bool, bool, str, dt.date], wanted: Inputs) -> bool:
    made_with, is_full, is_complete, *_ = state
    return made_with != wanted.fingerprint or (is_full and not is_complete)


def begin(connection: duckdb.DuckDBPyConnection, wanted: Inputs, planned: Plan) -> None:
    """Notes, before dbt runs, what is about to be built: a killed build is then not forgotten."""
    connection.execute("begin")
    connection.execute("delete from state.build")
    connection.execute(
        "insert into state.build values (?, ?, false, null, ?)",
        [wanted.fingerprint, planned.is_full, wanted.as_of_day],
    )
    connection.execute("delete from state.pending_days")
    insert_rows(connection, "state.pending_days", [(day,) for day in planned.pending_days])
    connection.execute("commit")


def stamp(connection: duckdb.DuckDBPyConnection, wanted: Inputs) -> None:
    """Notes that everything was built and every dbt test passed; publishing demands it."""
    connection.execute("begin")
    connection.execute("update state.build set is_complete = true, build_key = ?", [wanted.key])
    connection.execute("delete from state.pending_days")
    connection.execute("delete from state.built_batches")
    insert_rows(
        connection,
        "state.built_batches",
        [(feed, m.batch_id) for feed, ms in wanted.manifests.items() for m in ms],
    )
    connection.execute("commit")


def expose(
    connection: duckdb.DuckDBPyConnection,
    home: Home,
    publisher: Publisher,
    wanted: Inputs,
    planned: Plan,
    refresh: Mapping[str, object],
    history: Mapping[str, Sequence[tuple[object, ...]]],
    serving: Path | None,
    feeds_of_metrics: Mapping[str, Sequence[str]],
) -> None:
    """Makes the schema `landing` of this run.

    Args:
        connection: The warehouse.
        home: Where the batches lie.
        publisher: What publisher.yml says.
        wanted: The inputs of this run.
        planned: Which days of the event-grain feeds the models are shown.
        refresh: refresh_id and started_at of this run.
        history: Rows of earlier refreshes for `refreshes` and `quality_results`.
        serving: The version readers have, whose closed months stay as they were published.
        feeds_of_metrics: The feeds each metric is reckoned from.
    """
    for contract in contracts().values():
        days = planned.pending_days if not planned.is_full else None
        _expose_feed(connection, home, contract, wanted.manifests[contract.feed], days)
    events = contracts()["events"]
    _expose_feed(connection, home, events, wanted.manifests["events"], None, "all_events")
    around = days and [
        day + dt.timedelta(away) for day in days for away in range(-DAYS_AROUND, DAYS_AROUND + 1)
    ]
    _expose_feed(connection, home, events, wanted.manifests["events"], around, "nearby_events")
    replace_table(
        connection,
        "landing.pending_days",
        "day date, part bigint",
        _parts(planned.pending_days, wanted.manifests["events"]),
    )
    replace_table(
        connection, "landing.days_at_hand", "day date", [(d,) for d in planned.pending_days]
    )
    _expose_refresh(connection, publisher, wanted, refresh)
    replace_table(
        connection,
        "landing.feeds",
        "feed varchar, is_configured boolean",
        [(feed, feed in publisher.feeds) for feed in contracts()],
    )
    _expose_batches(connection, wanted, planned)
    replace_table(
        connection,
        "landing.new_batches",
        "feed varchar, batch_id varchar",
        [(m.feed, m.batch_id) for m in planned.new_batches],
    )
    _expose_quarantine(connection, home, wanted)
    for name, columns in HISTORY_COLUMNS.items():
        replace_table(connection, f"landing.{name}", columns, history.get(name, ()))
    _expose_metrics(connection, feeds_of_metrics)
    _expose_goals(connection, publisher)
    _expose_initiatives(connection, publisher)
    _expose_published(connection, serving)
    _expose_unpublished(connection, wanted, serving)


def _parts(days: Sequence[dt.date], events: Sequence[Manifest]) -> list[tuple[dt.date, int]]:
    """Each day and the part of the build it belongs to: neighbours, of so many events together."""
    counts = Counter[dt.date]()
    for manifest in events:
        counts.update(manifest.days)
    found, part, held = [], 0, 0
    for day in days:
        if held and held + counts[day] > EVENTS_AT_ONCE:
            part, held = part + 1, 0
        held += counts[day]
        found.append((day, part))
    return found


HISTORY_COLUMNS = {
    "refreshes": (
        "refresh_id varchar, started_at timestamp, finished_at timestamp, as_of_day date, "
        "verdict varchar, batch_count bigint, landed_count bigint, quarantined_count bigint, "
        "reason varchar"
    ),
    "quality_results": (
        "refresh_id varchar, stage varchar, suite varchar, check_name varchar, "
        "severity varchar, is_passed boolean, observed varchar, expected varchar, "
        "reason varchar, offending_keys varchar"
    ),
}


# What later marts keep of the version readers have: table → mart, columns, condition.
KEPT_OF_PUBLISHED = {
    "closed_values": (
        "customer_value_monthly",
        "customer_id varchar, month date, economic_past_value_at_close decimal(18, 4), "
        "visitor_value_at_close decimal(18, 4), closed_on date",
        "closed_on is not null",
    ),
    "published_equity": (
        "customer_equity",
        "month date, economic_future_value_low decimal(18, 4), "
        "economic_future_value decimal(18, 4), economic_future_value_high decimal(18, 4), "
        "social_value decimal(18, 4)",
        "true",
    ),
    "published_refreshes": (
        "refreshes",
        "refresh_id varchar, as_of_day date",
        "verdict = 'published'",
    ),
    "published_files": ("landed_files", "feed varchar, batch_id varchar", "true"),
    # What was still running has been replaced, not restated.
    "published_metric_values": (
        "metric_values",
        "metric varchar, period varchar, period_start date, period_end date, "
        "segment_type varchar, segment varchar, numerator decimal(28, 6), "
        "denominator decimal(28, 6), n bigint, value double",
        "is_complete",
    ),
    "published_initiative_effects": (
        "initiative_effects",
        "initiative_id varchar, as_of_day date, title varchar, goal_id varchar, outcome varchar, "
        "effect double, standard_error double, lower_bound double, upper_bound double, "
        "treated_customers bigint, control_customers bigint, treated_periods bigint, "
        "periods_before bigint, periods_after bigint, pre_trend double, pre_trend_p double, "
        "placebo_effect double, placebo_lower_bound double, placebo_upper_bound double, "
        "effect_total double, cost decimal(18, 4), effect_per_euro double, "
        "cost_per_unit double, verdict varchar, direction varchar, reason varchar",
        "true",
    ),
    "published_restatements": (
        "restatements",
        "refresh_id varchar, as_of_day date, previous_refresh_id varchar, metric varchar, "
        "period varchar, period_start date, period_end date, segment_type varchar, "
        "segment varchar, previous_value double, value double, change double, "
        "previous_numerator decimal(28, 6), numerator decimal(28, 6), "
        "previous_denominator decimal(28, 6), denominator decimal(28, 6), cause varchar, "
        "file_count bigint, files varchar",
        "true",
    ),
}


def _expose_published(connection: duckdb.DuckDBPyConnection, serving: Path | None) -> None:
    """The rows that stay as they were published; a version of an older arvo may have none."""
    held: dict[str, set[str]] = {}
    if serving is not None:
        connection.execute(f"attach {literal(str(serving))} as serving (read_only)")
    try:
        for mart, column in connection.execute(
            "select table_name, column_name from duckdb_columns() "
            "where database_name = 'serving' and schema_name = 'main'"
        ).fetchall():
            held.setdefault(mart, set()).add(column)
        for name, (mart, columns, condition) in KEPT_OF_PUBLISHED.items():
            typed = dict(column.split(" ", 1) for column in re.split(r", (?![0-9])", columns))
            if not typed.keys() <= held.get(mart, set()):
                replace_table(connection, f"landing.{name}", columns, ())
                continue
            # Made from the query: millions of rows put into a table that is there take thrice
            # as long.
            listed = ", ".join(f"cast({each} as {kind}) as {each}" for each, kind in typed.items())
            connection.execute(
                f"create or replace table landing.{name} as "
                f"select {listed} from serving.main.{mart} where {condition}"
            )
    finally:
        if serving is not None:
            connection.execute("detach serving")


def _expose_unpublished(
    connection: duckdb.DuckDBPyConnection, wanted: Inputs, serving: Path | None
) -> None:
    """The days of the batches that the version readers have does not hold."""
    held = set(connection.execute("from landing.published_files").fetchall())
    rows = [
        (m.feed, m.batch_id, m.source_name, day)
        for ms in wanted.manifests.values()
        for m in ms
        if serving is not None and (m.feed, m.batch_id) not in held
        for day in m.days or (None,)
    ]
    replace_table(
        connection,
        "landing.unpublished_days",
        "feed varchar, batch_id varchar, source_name varchar, day date",
        rows,
    )


def _expose_metrics(
    connection: duckdb.DuckDBPyConnection, feeds_of_metrics: Mapping[str, Sequence[str]]
) -> None:
    replace_table(
        connection,
        "landing.metrics",
        "metric varchar, label varchar, meaning varchar, unit varchar, direction varchar, "
        "kind varchar, grain varchar, measures varchar, owner varchar, lowest double, "
        "highest double, minimum_n bigint, "
        "window_days bigint, segment_types varchar, feeds varchar, deprecated varchar",
        [
            (each.name, each.label, each.meaning, each.unit, each.direction, each.kind)
            + (each.grain, each.measures, each.owner, each.lowest, each.highest, each.minimum_n)
            + (each.window_days if each.kind == "ratio" and each.grain == "day" else None,)
            + (", ".join(each.segment_types) or None,)
            + (", ".join(feeds_of_metrics[each.name]), each.deprecated or None)
            for each in metrics.metrics().values()
        ],
    )
    replace_table(
        connection,
        "landing.metric_feeds",
        "metric varchar, feed varchar",
        [(name, feed) for name, feeds in feeds_of_metrics.items() for feed in feeds],
    )


def _expose_goals(connection: duckdb.DuckDBPyConnection, publisher: Publisher) -> None:
    replace_table(
        connection,
        "landing.goals",
        "goal_id varchar, title varchar, parent_id varchar, unit varchar, owner varchar, "
        "metric varchar, segment_type varchar, segment varchar, baseline double, target double, "
        "start_day date, end_day date, pace varchar, rollup varchar, weight double, "
        "position bigint",
        [(*astuple(goal), place) for place, goal in enumerate(publisher.goals, start=1)],
    )
    replace_table(
        connection,
        "landing.goal_parts",
        "goal_id varchar, part_id varchar, weight double",
        goals.parts(publisher.goals),
    )


def _expose_initiatives(connection: duckdb.DuckDBPyConnection, publisher: Publisher) -> None:
    replace_table(
        connection,
        "landing.initiatives",
        "initiative_id varchar, title varchar, goal_id varchar, owner varchar, start_day date, "
        "end_day date, cost double, treated_rule varchar, treated_sql varchar, "
        "control_rule varchar, control_sql varchar, outcome varchar, period_days bigint",
        [astuple(each) for each in publisher.initiatives],
    )


def _expose_feed(
    connection: duckdb.DuckDBPyConnection,
    home: Home,
    contract: Contract,
    manifests: Sequence[Manifest],
    days: Sequence[dt.date] | None,
    name: str = "",
) -> None:
    """A view over a feed's active batches; of event-grain feeds only the days asked for."""
    shown = set(days) if days is not None and contract.is_partitioned_by_day else None
    connection.execute(
        f"create or replace view landing.{name or contract.feed} as "
        f"{feed_sql(contract, home, manifests, shown)}"
    )


def _refuse_lost(paths: Sequence[str]) -> None:
    for path in paths:
        if not Path(path).exists():
            folder = re.sub(r"/day=[^/]*", "", str(Path(path).parent))
            raise SystemFailure(
                f"{path}, a part of a landed batch, is gone. Restore it from a backup, or move "
                f"{folder} away and refresh: its source file is then landed again."
            )


def feed_sql(
    contract: Contract,
    home: Home,
    manifests: Sequence[Manifest],
    days: Container[dt.date] | None = None,
) -> str:
    """A query over the rows of a feed's batches; typed and empty where there is none.

    Args:
        contract: The feed's.
        home: Where the batches lie.
        manifests: The batches.
        days: The days wanted, of a feed whose rows are kept by day; None for all.

    Raises:
        SystemFailure: A file of a batch is gone.
    """
    loose = batches.part_paths(home, manifests, days)
    archived = batches.archive_paths(home, manifests, days)
    _refuse_lost([*loose, *archived])
    names = ", ".join(column.name for column in contract.columns)
    day = ", day" if contract.is_partitioned_by_day else ""
    own = f"source_name, source_modified_at, source_row{day}"
    selects = []
    if loose:
        folder = home.landing / contract.feed
        selects.append(
            f"select {names}, substr(filename, {len(str(folder)) + 2}, 32) as batch_id, {own} "
            f"from {_parquet(loose, 'filename = true')}"
        )
    if archived:
        selects.append(
            f"select {names}, batch_id, {own} from {_parquet(archived)}"
            + _hidden_sql(home, contract.feed, manifests)
        )
    return " union all ".join(selects) or _empty_sql(contract)


def _parquet(paths: Sequence[str], *options: str) -> str:
    listed = ", ".join(literal(path) for path in paths)
    return f"read_parquet({', '.join([f'[{listed}]', *options, 'hive_partitioning = false'])})"


def _hidden_sql(home: Home, feed: str, manifests: Sequence[Manifest]) -> str:
    """A condition that keeps out batches that an archive holds beside those wanted."""
    wanted = {m.batch_id for m in manifests}
    archives = {m.archive.name for m in manifests if m.archive is not None}
    hidden = [
        literal(m.batch_id)
        for m in batches.committed(home, feed)
        if m.archive and m.archive.name in archives and m.batch_id not in wanted
    ]
    return f" where batch_id not in ({', '.join(hidden)})" if hidden else ""


def _empty_sql(contract: Contract) -> str:
    typed = [(column.name, column.duckdb_type) for column in contract.columns]
    typed += [
        ("batch_id", "varchar"),
        ("source_name", "varchar"),
        ("source_modified_at", "timestamp"),
        ("source_row", "bigint"),
    ]
    typed += [("day", "date")] if contract.is_partitioned_by_day else []
    nulls = ", ".join(f"cast(null as {kind}) as {name}" for name, kind in typed)
    return f"select {nulls} where false"


def _expose_refresh(
    connection: duckdb.DuckDBPyConnection,
    publisher: Publisher,
    wanted: Inputs,
    refresh: Mapping[str, object],
) -> None:
    replace_table(
        connection,
        "landing.refresh",
        "refresh_id varchar, started_at timestamp, as_of_day date, as_of_end_at timestamp, "
        "time_zone varchar, currency varchar, grace_days bigint, heartbeat_seconds double, "
        "min_visit_seconds double, calibration_end date",
        [
            (
                refresh["refresh_id"],
                refresh["started_at"],
                wanted.as_of_day,
                end_of_day(wanted.as_of_day, publisher.time_zone),
                publisher.time_zone,
                publisher.currency,
                publisher.grace_days,
                publisher.heartbeat_seconds,
                publisher.min_visit_seconds,
                publisher.calibration_end,
            )
        ],
    )
    replace_table(
        connection,
        "landing.assumptions",
        "assumption varchar, low double, base double, high double, unit varchar, "
        "meaning varchar, because varchar, is_stated boolean",
        [
            (each.kind.name, each.low, each.base, each.high)
            + (each.kind.unit, each.kind.meaning, each.because or None, each.is_stated)
            for each in publisher.assumptions
        ],
    )


def _expose_batches(connection: duckdb.DuckDBPyConnection, wanted: Inputs, planned: Plan) -> None:
    every = [m for ms in wanted.manifests.values() for m in ms]
    new = {m.batch_id for m in planned.new_batches}
    replace_table(
        connection,
        "landing.batches",
        "feed varchar, batch_id varchar, source_name varchar, landed_rows bigint, "
        "quarantined_rows bigint, first_day date, last_day date, is_new boolean",
        [
            (
                m.feed,
                m.batch_id,
                m.source_name,
                m.landed_count,
                m.quarantined_count,
                m.first_day,
                max(m.days, default=None),
                m.batch_id in new,
            )
            for m in every
        ],
    )
    counts: dict[tuple[str, dt.date], list[int]] = {}
    for m in every:
        for day, count in m.days.items():
            entry = counts.setdefault((m.feed, day), [0, 0])
            entry[0] += count
            entry[1] += count if m.batch_id in new else 0
    replace_table(
        connection,
        "landing.daily_rows",
        "feed varchar, day date, row_count bigint, is_new boolean",
        [(feed, day, n[0], n[1] > 0) for (feed, day), n in sorted(counts.items())],
    )


def _expose_quarantine(connection: duckdb.DuckDBPyConnection, home: Home, wanted: Inputs) -> None:
    selects = ["select null::varchar, null::varchar, null::varchar, null::varchar where false"]
    for feed, manifests in wanted.manifests.items():
        query = batches.quarantine_sql(home, manifests)
        if query is not None:
            selects.append(
                f"select {literal(feed)}, batch_id, row_hash, array_to_string(reasons, '; ') "
                f"from ({query})"
            )
    connection.execute(
        "create or replace view landing.quarantine(feed, batch_id, row_hash, reasons) as "
        + " union all ".join(selects)
    )


def end_of_day(day: dt.date, time_zone: str) -> dt.datetime:
    """The instant (UTC, no zone) at which a local day ends."""
    midnight = dt.datetime.combine(
        day + dt.timedelta(days=1), dt.time(), zoneinfo.ZoneInfo(time_zone)
    )
    return midnight.astimezone(dt.UTC).replace(tzinfo=None)


def _days_of_repeats(
    connection: duckdb.DuckDBPyConnection, home: Home, new: Sequence[Manifest]
) -> set[dt.date]:
    """Days on which landing already holds an event that arrived again under another day.

    Events are compared by the digest that stg_event_keys holds of every one of them: `hash`, as
    the macro hash_of says.
    """
    if not new:
        return set()
    arrived = feed_sql(contracts()["events"], home, new)
    rows = connection.execute(
        f"""select distinct held.day from staging.stg_event_keys as held
            inner join (select hash(event_id) as event_key, day from ({arrived})) as arrived
            on held.event_key = arrived.event_key and held.day <> arrived.day"""
    ).fetchall()
    return {row[0] for row in rows}


def _days_of_changed_rates(
    connection: duckdb.DuckDBPyConnection,
    home: Home,
    currency: str,
    wanted: Inputs,
    new: Sequence[Manifest],
) -> set[dt.date]:
    """Days whose foreign advertising bills a newly landed exchange rate may convert anew.

    A month's rate may be quoted in an earlier month or, before the first quote, in a later one:
    so all days with a foreign bill.
    """
    if not any(m.feed == "exchange_rates" for m in new):
        return set()
    bills = feed_sql(contracts()["ad_revenue"], home, wanted.manifests["ad_revenue"])
    rows = connection.execute(
        f"select distinct day from ({bills}) where currency <> ?", [currency]
    ).fetchall()
    return {row[0] for row in rows}


def replace_table(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    columns: str,
    rows: Sequence[tuple[object, ...]],
) -> None:
    """Makes a table anew with these rows."""
    connection.execute(f"create or replace table {name} ({columns})")
    insert_rows(connection, name, rows)


def insert_rows(
    connection: duckdb.DuckDBPyConnection, name: str, rows: Sequence[tuple[object, ...]]
) -> None:
    """Inserts rows given as tuples; none is fine."""
    if rows:
        # A list a column: a mark a value would take DuckDB twenty times as long to read.
        lists = [list(column) for column in zip(*rows, strict=True)]
        marks = ", ".join("unnest(?)" for _ in lists)
        connection.execute(f"insert into {name} select {marks}", lists)
