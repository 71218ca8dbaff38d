"""Landing: one source file becomes one batch of typed, checked, pseudonymised rows.

Read → map → type → row rules → pseudonymise → good rows to a batch, bad rows with all their
reasons to quarantine. The source is read once; what follows reads a columnar working copy that
nobody else may open and that is gone when the batch is committed. How a source is opened is
sources/'s business, how a batch is committed batches.py's.
"""

import datetime as dt
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from orchestration import batches, pseudonyms, settings
from orchestration.batches import Manifest, Part
from orchestration.contracts import DEFAULT_MAX_LENGTH, Column, Contract
from orchestration.errors import ConfigurationError, RefusedError, SystemFailure
from orchestration.publisher import FeedConfig
from orchestration.settings import Home
from orchestration.sources import files
from orchestration.sources.files import Relation, SourceFile, identifier, literal
from orchestration.texts import nearest
from quality import identifiers

EXAMPLES = 3
# A collector's clock may run a little ahead of ours.
CLOCK_TOLERANCE = dt.timedelta(minutes=5)
REASON_VALUE_LENGTH = 60
# An id that went through a spreadsheet or a column with gaps: 1234.0, 9.22E+18.
FLOATING_POINT = r"^-?([0-9]+\.0+|[0-9](\.[0-9]+)?[eE]\+[0-9]+|[0-9]\.[0-9]+[eE][0-9]+)$"
# What collectors write where they know nobody; pseudonymised, all of them would be one customer.
PLACEHOLDERS = (
    "null",
    "(null)",
    "none",
    "nil",
    "nan",
    "n/a",
    "undefined",
    "[object object]",
    "00000000-0000-0000-0000-000000000000",
)
# A spreadsheet that opens an export of a mart would run it. Ids may begin with a minus.
FORMULA = r"^(=|[+@-].*([A-Za-z]\(|\|))"
SHORTEST_ADDRESS = 7
# A value is particular to its row; what stands before it is the kind of mistake.
KIND_OF_REASON = "regexp_replace(reason, '^(line) [0-9]+|(: [^:]*): .*$', '\\1\\2')"


@dataclass(frozen=True)
class Landed:
    """What one refresh did for one feed."""

    feed: str
    new: tuple[Manifest, ...]
    known_files: int


@dataclass(frozen=True)
class Mapped:
    """One contract column as it is computed from a source.

    `expression` is None when the source has nothing for it. `is_plain` tells a bare source
    column, which cannot fail, from an expression, which may.
    """

    column: Column
    expression: str | None
    is_plain: bool


@dataclass(frozen=True)
class _Work:
    """Landing a feed's files: what is the same for all of them.

    Attributes:
        connection: A DuckDB in memory.
        scratch: A private folder, gone afterwards.
        home: Where batches go.
        config: The feed's source and mapping.
        secret: Key of the pseudonyms.
        now: The clock (UTC, no zone).
        known: Batches of the feed, those landed meanwhile included.
        reads: The source columns the mapping reads, by shape of the source: found out once.
    """

    connection: duckdb.DuckDBPyConnection
    scratch: Path
    home: Home
    config: FeedConfig
    secret: bytes
    now: dt.datetime
    known: list[Manifest]
    reads: dict[str, tuple[str, ...]] = field(default_factory=dict)


def land(home: Home, config: FeedConfig, secret: bytes, now: dt.datetime) -> Landed:
    """Lands every new file of a feed, each as a batch of its own.

    Args:
        home: Where batches go.
        config: The feed's source and mapping.
        secret: Key of the pseudonyms.
        now: The clock (UTC, no zone); a time after it is no fact yet.

    Raises:
        RefusedError: A file has too many bad rows or lost a mapped column.
        ConfigurationError: The mapping does not fit the source.
        SystemFailure: A file vanished, changed while it was read, or cannot be read.
    """
    known = batches.committed(home, config.feed) + batches.discarded(home, config.feed)
    paths = files.find(config.files)
    if not paths and not known:
        raise ConfigurationError(no_file(config))
    digests = {(m.source_path, m.source_size, m.source_modified_ns): m.source_sha256 for m in known}
    found = sorted(
        (files.identify(path, digests) for path in paths),
        key=lambda file: (file.modified_ns, str(file.path)),
    )
    new: list[Manifest] = []
    held = _Held(config, known)
    if not all(held.has(file) for file in found):
        with workspace(home, config.feed) as (connection, scratch):
            work = _Work(connection, scratch, home, config, secret, now, known)
            for file in found:
                if not held.has(file):
                    new.append(_land_file(work, file))
                    known.append(new[-1])
                    held.add(new[-1])
    return Landed(config.feed, tuple(new), len(found) - len(new))


def file_kind(config: FeedConfig) -> str:
    """csv, json or parquet, as far as the first pattern tells; else file."""
    try:
        return files.file_format(Path(config.files[0]), config.options)
    except ConfigurationError:
        return "file"


def no_file(config: FeedConfig) -> str:
    """The message for a pattern that matches nothing."""
    return (
        f"feed '{config.feed}': no file matches {', '.join(config.files)}. Check the folder and "
        "the pattern (a relative one starts at publisher.yml's folder), or take the feed out."
    )


class _Held:
    """The contents that have landed with the present mapping, by digest and time of the file."""

    def __init__(self, config: FeedConfig, known: Iterable[Manifest]) -> None:
        self._config = config
        self._last: dict[str, int] = {}
        self._landed: list[Manifest] = []
        for manifest in known:
            self.add(manifest)

    def add(self, manifest: Manifest) -> None:
        """Takes note of a batch, unless another mapping made it."""
        if manifest.mapping == self._config.fingerprint:
            self._landed.append(manifest)
            sha256, time = manifest.source_sha256, manifest.source_modified_ns
            self._last[sha256] = max(time, self._last.get(sha256, time))

    def has(self, file: SourceFile) -> bool:
        """Whether a file's content is held already.

        A copy is, and so is a file that was only touched. Where the file's time decides which
        version of a row is latest, content that comes back after something else landed is new:
        it is the latest word on its rows, whatever its name and whichever of them came first.
        """
        last = self._last.get(file.sha256)
        if last is None:
            return False
        if self._config.contract.wins == "first" or file.modified_ns <= last:
            return True
        return not any(
            last <= m.source_modified_ns <= file.modified_ns
            for m in self._landed
            if m.source_sha256 != file.sha256
        )


@contextmanager
def workspace(home: Home, name: str) -> Iterator[tuple[duckdb.DuckDBPyConnection, Path]]:
    """A DuckDB in memory and a private scratch folder; both gone afterwards."""
    scratch = home.build / "scratch" / name
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True, mode=0o700)
    connection = duckdb.connect()
    try:
        for statement in (
            "set TimeZone = 'UTC'",
            settings.NO_PROGRESS_BAR,
            f"set memory_limit = {literal(settings.memory_limit())}",
            f"set threads = {settings.threads()}",
            f"set temp_directory = {literal(str(scratch / 'spill'))}",
        ):
            connection.execute(statement)
        yield connection, scratch
    finally:
        connection.close()
        shutil.rmtree(scratch, ignore_errors=True)


def mapped_columns(config: FeedConfig, relation: Relation) -> list[Mapped]:
    """Where each contract column comes from in this source.

    Raises:
        ConfigurationError: A required column has neither an expression nor a source column.
    """
    missing = missing_columns(config, relation)
    if missing:
        raise ConfigurationError(
            f"feed '{config.feed}': the contract requires {', '.join(missing)}, but the mapping "
            f"says nothing of it and the source has no column of that name (it has "
            f"{', '.join(relation.columns)}). Add columns: {{{missing[0]}: …}}; for another "
            "separator or header set options."
        )
    source = {name.lower(): identifier(name) for name in relation.columns}
    result = []
    for column in config.contract.columns:
        stated = config.columns.get(column.name)
        bare = source.get((column.name if stated is None else stated).strip().strip('"').lower())
        if bare is not None:
            result.append(Mapped(column, bare, True))
        else:
            result.append(Mapped(column, f"({stated}\n)" if stated else None, stated is None))
    return result


def missing_columns(config: FeedConfig, relation: Relation) -> list[str]:
    """Required contract columns that neither the mapping nor the source has."""
    source = {name.lower() for name in relation.columns}
    return [
        column.name
        for column in config.contract.columns
        if column.required and column.name not in config.columns and column.name not in source
    ]


def bind(
    connection: duckdb.DuckDBPyConnection, config: FeedConfig, relation: Relation
) -> dict[str, str]:
    """Problems of the mapping with this source: column (or 'where') → what is wrong."""
    columns = ", ".join(f"null::{kind} as {identifier(n)}" for n, kind in relation.columns.items())
    shape = f"(select {columns}, 1::bigint as file_row_number)"
    problems = {}
    for name, expression in config.columns.items():
        wrong = _binding_problem(connection, relation, f"select ({expression}\n) from {shape}")
        if wrong:
            problems[name] = wrong
    if config.where and not problems and not missing_columns(config, relation):
        mapped = mapped_columns(config, relation)
        laid = [f"{m.expression} as {m.column.name}" for m in mapped if m.expression]
        row = f"(select {', '.join([*_unshadowed(config, relation), *laid])} from {shape})"
        wrong = _binding_problem(connection, relation, f"select ({config.where}\n) from {row}")
        if wrong:
            problems["where"] = wrong
    return problems


def _binding_problem(
    connection: duckdb.DuckDBPyConnection, relation: Relation, sql: str
) -> str | None:
    try:
        connection.execute(f"describe {sql}")
    except duckdb.Error as error:
        text = str(error)
        missing = _missing_column(text)
        if missing is None:
            return f"DuckDB cannot run it: {text.splitlines()[0]}"
        return f"the source has no column '{missing}'. {nearest(missing, relation.columns)}"
    return None


def _missing_column(message: str) -> str | None:
    for mark in ('Referenced column "', 'column named "'):
        if mark in message:
            return message.split(mark, 1)[1].split('"', 1)[0]
    return None


def _land_file(work: _Work, file: SourceFile) -> Manifest:
    try:
        manifest, folder = _read_file(work, file)
        if file.is_unchanged():
            batches.commit(work.home, folder, manifest)
            return manifest
    except (duckdb.Error, OSError, SystemFailure) as error:
        if not file.path.exists():
            raise SystemFailure(_vanished(file)) from error
        if isinstance(error, SystemFailure):
            raise
        raise SystemFailure(
            f"{file.path} could not be landed: {_told(error)}. Nothing of it landed. If the "
            "message names memory or disk, make room (or set ARVO_MEMORY_LIMIT) and refresh again."
        ) from error
    shutil.rmtree(folder, ignore_errors=True)
    raise SystemFailure(
        f"{file.path} changed while it was being read. Nothing of it landed; refresh again when "
        "its writer is done (write to another name and rename it into place)."
        if file.path.exists()
        else _vanished(file)
    )


def _told(error: Exception) -> str:
    text = str(error).strip().splitlines()[0].rstrip(".")
    if "state machine reached an invalid state" in text:
        return "its lines end in different ways, with and without a carriage return"
    return text


def _vanished(file: SourceFile) -> str:
    return (
        f"{file.path} vanished while it was being read. Nothing of it landed; refresh again when "
        "it is back."
    )


def _read_file(work: _Work, file: SourceFile) -> tuple[Manifest, Path]:
    connection, home, config, known = work.connection, work.home, work.config, work.known
    for table in ("reject_errors", "reject_scans"):
        connection.execute(f"drop table if exists {table}")
    relation = files.relation(connection, file.path, config.options, work.scratch)
    _refuse_vanished_columns(config, relation, file, known)
    read = _columns_read(work, relation, file)
    mapped = mapped_columns(config, relation)
    staged = work.scratch / "staged.parquet"
    connection.execute(
        f"copy ({staging_sql(config, relation, mapped, work.now)}) to {literal(str(staged))} "
        "(format parquet, compression zstd)"
    )
    _refuse_open_quote(connection, config, relation, file)
    counts = _counts(connection, staged, relation)
    name = _batch_name(config, file, known)
    _quarantine(connection, home, config.feed, name, staged, relation, counts)
    _refuse_bad_share(connection, home, config, relation, file, name, counts)
    folder = batches.incoming(home, config.feed, name)
    parts = _write_parts(connection, config, staged, folder, file, work.secret)
    written = sum(part.row_count for part in parts)
    if written != counts.good:
        raise SystemFailure(
            f"{file.path}: {counts.good:,} rows were good but {written:,} were written, which "
            "is a defect of arvo. Nothing of it landed; please report it with this message."
        )
    days = _days(connection, config, parts, folder)
    time = config.contract.column(config.contract.time)
    manifest = Manifest(
        batch_id=name,
        feed=config.feed,
        source_name=file.path.name,
        source_path=str(file.path),
        source_size=file.size,
        source_modified_ns=file.modified_ns,
        source_sha256=file.sha256,
        mapping=config.fingerprint,
        columns=read,
        ignored_columns=tuple(sorted(set(relation.columns) - set(read))),
        read_count=counts.read,
        landed_count=counts.good,
        quarantined_count=counts.bad,
        filtered_count=counts.filtered,
        days=days,
        last_day=max(days, default=None) if time.not_future else None,
        parts=parts,
    )
    return manifest, folder


def _batch_name(config: FeedConfig, file: SourceFile, known: list[Manifest]) -> str:
    name = batches.batch_id(config.feed, file.sha256, config.fingerprint)
    if any(manifest.batch_id == name for manifest in known):
        # The same bytes came back after another version: they are the latest word again.
        return batches.batch_id(config.feed, file.sha256, config.fingerprint, str(file.modified_ns))
    return name


def _refuse_vanished_columns(
    config: FeedConfig,
    relation: Relation,
    file: SourceFile,
    known: list[Manifest],
) -> None:
    earlier = {m.columns for m in known if m.mapping == config.fingerprint}
    names = {name.lower() for name in relation.columns}
    lost = sorted({c for columns in earlier for c in columns if c.lower() not in names})
    if lost:
        raise RefusedError(
            f"feed '{config.feed}': {file.path} no longer has the column '{lost[0]}', which the "
            f"mapping reads and earlier files had (it has {', '.join(relation.columns)}). "
            "Nothing of it landed. Have the export mended, or change the mapping. (JSON lines that "
            "leave out keys without a value: list every key under options.columns.)"
        )


def _columns_read(work: _Work, relation: Relation, file: SourceFile) -> tuple[str, ...]:
    """The source columns the mapping reads; found out once for all files of one shape.

    Raises:
        ConfigurationError: The mapping does not fit the source.
    """
    connection, config = work.connection, work.config
    shape = repr(relation.columns)
    if shape not in work.reads:
        problems = mapping_problems(connection, config, relation, file.path)
        if problems:
            raise ConfigurationError("\n\n".join(problems))
        mapped = mapped_columns(config, relation)
        work.reads[shape] = read_columns(connection, config, relation, mapped)
    return work.reads[shape]


def mapping_problems(
    connection: duckdb.DuckDBPyConnection, config: FeedConfig, relation: Relation, path: Path
) -> list[str]:
    """What the mapping gets wrong about this source, a paragraph each."""
    problems = [
        f"feed '{config.feed}', '{name}': {wrong} (read from {path})"
        for name, wrong in bind(connection, config, relation).items()
    ]
    try:
        mapped_columns(config, relation)
    except ConfigurationError as error:
        problems.append(str(error))
    return problems


def _unshadowed(config: FeedConfig, relation: Relation) -> list[str]:
    """Source columns that `where` sees beside the contract's: those of another name."""
    contract = {name.lower() for name in config.contract.column_names}
    return [identifier(n) for n in relation.columns if n.lower() not in contract]


def staging_sql(
    config: FeedConfig, relation: Relation, mapped: list[Mapped], now: dt.datetime
) -> str:
    """One row per source row: typed values, its reasons when it is bad, and itself then."""
    names = config.contract.column_names
    own = [identifier(n) for n in relation.columns]
    number = relation.row_number if _needs_row_number(config, relation) else "null::bigint"
    broken = "__unreadable" if "__unreadable" in relation.sql else "null::varchar"
    beside = [f"__source.{name} as {name}" for name in _unshadowed(config, relation)]
    rules = [rule for m in mapped for rule in _rules(m, now, config.time_zone)]
    rules += _row_rules(config.contract)
    # Between two stray quotation marks of a text file lie whole rows.
    rules += [
        f"case when contains(__v_{m.column.name}, chr(10)) "
        f"then '{m.column.name}: holds a line break, and perhaps the rows that follow' end"
        for m in mapped
        if relation.keeps_rejects and m.expression and m.column.data_type == "string"
    ]
    return f"""
with source as (
    select {", ".join(own)}, {number} as file_row_number, {broken} as __broken
    from {relation.sql}
),
evaluated as (
    select
        file_row_number as __row,
        __broken,
        struct_pack({", ".join(f"{n} := {n}" for n in own)}) as __source,
        {", ".join(f"{_evaluated(m)} as __e_{m.column.name}" for m in mapped)}
    from source
),
mapped as (
    select __row, __broken, __source, {", ".join(_value(m) for m in mapped)}
    from evaluated
),
typed as (
    select
        {", ".join([f"{_typed(m)} as {m.column.name}" for m in mapped])},
        {", ".join(beside + ["mapped.*"])}
    from mapped
),
conditioned as (
    select *, {_condition(config)} as __kept from typed
),
judged as (
    select
        *,
        __broken is null and __kept is not null and not coalesce(__kept.v, false) as __is_filtered,
        case
            when __broken is not null then ['line: is not one JSON object']
            when __kept is null then ['where: the condition failed']
            when not coalesce(__kept.v, false) then []
            else list_filter([{", ".join(rules)}], lambda reason: reason is not null)
        end as __reasons
    from conditioned
)
select
    {", ".join(names)},
    __row as source_row,
    __is_filtered,
    case when len(__reasons) > 0 then __reasons end as __reasons,
    case
        when len(__reasons) > 0 then coalesce(__broken, cast(to_json(__source) as varchar))
    end as __source
from judged
"""


def _needs_row_number(config: FeedConfig, relation: Relation) -> bool:
    """Whether rows are numbered.

    Where the reader does not count them itself, numbering costs a serial pass: event-grain
    feeds then only get it when the mapping asks for it.
    """
    stated = " ".join([*config.columns.values(), config.where or ""])
    is_counted = "over ()" not in relation.row_number
    return is_counted or not config.contract.is_partitioned_by_day or "file_row_number" in stated


def _evaluated(mapped: Mapped) -> str:
    if mapped.expression is None:
        return "null"
    if mapped.is_plain:
        return mapped.expression
    # try() makes a failing expression a null struct, and a null result a struct of null.
    return f"try(struct_pack(v := {mapped.expression}))"


def _value(mapped: Mapped) -> str:
    name = mapped.column.name
    if mapped.expression is None:
        return f"null::varchar as __v_{name}"
    value = f"__e_{name}" if mapped.is_plain else f"__e_{name}.v"
    if mapped.column.data_type == "string":
        value = f"nullif(trim(cast({value} as varchar)), '')"
    failed = "" if mapped.is_plain else f", __e_{name} is null as __f_{name}"
    return f"{value} as __v_{name}{failed}"


def _typed(mapped: Mapped) -> str:
    column, value = mapped.column, f"__v_{mapped.column.name}"
    if mapped.expression is None:
        return f"null::{column.duckdb_type}"
    if column.data_type == "string":
        return f"regexp_extract({value}, '^[^?#]*')" if column.drop_query else value
    if column.data_type == "timestamp":
        instant = f"try_cast({value} as timestamptz)"
        return f"case when isfinite({instant}) then timezone('UTC', {instant}) end"
    if column.data_type == "double":
        return (
            f"case when isfinite(try_cast({value} as double)) then try_cast({value} as double) end"
        )
    if column.data_type == "bigint":
        # DuckDB would round 3.7 to 4.
        exact = f"try_cast({value} as bigint) = try_cast({value} as double)"
        return f"case when {exact} then try_cast({value} as bigint) end"
    return f"try_cast({value} as {column.duckdb_type})"


def _rules(mapped: Mapped, now: dt.datetime, time_zone: str) -> list[str]:
    column = mapped.column
    if mapped.expression is None:
        return []
    name, value = column.name, f"__v_{column.name}"
    shown = f"left(cast({value} as varchar), {REASON_VALUE_LENGTH})"
    rules = []
    if not mapped.is_plain:
        rules.append(f"case when __f_{name} then '{name}: the expression failed' end")
    if column.required:
        missing = f"{value} is null" if mapped.is_plain else f"{value} is null and not __f_{name}"
        rules.append(f"case when {missing} then '{name}: required value is missing' end")
    if column.data_type != "string":
        rules.append(
            f"case when {value} is not null and {name} is null then "
            f"'{name}: cannot be read as {column.data_type}: ' || {shown} end"
        )
    rules += [
        f"case when {condition} then {literal(f'{name}: {told}: ')} || {shown} end"
        for condition, told in _bounds(column, now, time_zone)
    ]
    # What these find is not quoted: a reason may be shown to anybody.
    rules += [
        f"case when {condition} then '{name}: {told}' end"
        for condition, told in _never_in_texts(column)
    ]
    return rules


def _bounds(column: Column, now: dt.datetime, time_zone: str) -> Iterator[tuple[str, str]]:
    name = column.name
    if column.accepted_values:
        listed = ", ".join(literal(value) for value in column.accepted_values)
        yield f"{name} not in ({listed})", "is not in the contract's list"
    if column.minimum is not None:
        yield f"{name} < {column.minimum}", f"is less than {column.minimum:g}"
    if column.maximum is not None:
        yield f"{name} > {column.maximum}", f"is more than {column.maximum:g}"
    if column.pattern:
        yield f"not regexp_full_match({name}, {literal(column.pattern)})", "has not the form due"
    if column.data_type == "string":
        longest = column.max_length or DEFAULT_MAX_LENGTH
        yield f"length({name}) > {longest}", f"is longer than {longest}"
    if column.is_id:
        yield (
            f"regexp_matches({name}, '{FLOATING_POINT}')",
            "was written as a floating-point number",
        )
    if column.pseudonym:
        listed = ", ".join(literal(word) for word in PLACEHOLDERS)
        yield f"lower({name}) in ({listed})", "is a placeholder, which would be one customer"
    if column.data_type in ("timestamp", "date"):
        yield f"{name} < {column.duckdb_type} '{column.earliest}'", f"lies before {column.earliest}"
    if column.not_before:
        yield f"{name} < {column.not_before}", f"lies before {column.not_before}"
    if column.not_future and column.data_type == "timestamp":
        limit = (now + CLOCK_TOLERANCE).isoformat(sep=" ")
        yield f"{name} > timestamp '{limit}'", "lies in the future"
    if column.not_future and column.data_type == "date":
        today = f"cast(timezone({literal(time_zone)}, timestamptz '{now.isoformat()}+00') as date)"
        yield f"{name} > {today}", "lies in the future"


def _never_in_texts(column: Column) -> Iterator[tuple[str, str]]:
    """What lands in no column; pseudonymised ones, which hold nothing of it, may be addresses."""
    if column.data_type != "string":
        return
    name = column.name
    yield f"contains({name}, chr(0))", "holds a NUL byte"
    if column.pseudonym:
        return
    yield f"regexp_matches({name}, '{FORMULA}')", "reads like the formula of a spreadsheet"
    # A case looks further only where it must; a conjunction always does.
    address = f"regexp_matches({name}, '{identifiers.EMAIL_ADDRESS}')"
    suspect = f"contains({name}, '@') or contains({name}, '%40')"
    yield f"case when {suspect} then {address} end", "holds an e-mail address"
    if column.max_length:
        for pattern, told in (
            (identifiers.PHONE_NUMBER, "holds a telephone number"),
            (identifiers.IP_ADDRESS, "holds the address of a computer"),
        ):
            found = f"regexp_matches({name}, '{pattern}')"
            yield f"case when length({name}) >= {SHORTEST_ADDRESS} then {found} end", told


def _row_rules(contract: Contract) -> list[str]:
    if not contract.one_of:
        return []
    missing = " and ".join(f"{name} is null" for name in contract.one_of)
    return [f"case when {missing} then 'needs one of {', '.join(contract.one_of)}' end"]


def _condition(config: FeedConfig) -> str:
    """A struct of whether a row is to be read; a null struct when the condition failed."""
    if config.where is None:
        return "struct_pack(v := true)"
    return f"try(struct_pack(v := ({config.where}\n)))"


@dataclass(frozen=True)
class Counts:
    """Rows of one source by what became of them."""

    good: int
    bad: int
    filtered: int

    @property
    def read(self) -> int:
        """All rows of the source."""
        return self.good + self.bad + self.filtered


def _counts(connection: duckdb.DuckDBPyConnection, staged: Path, relation: Relation) -> Counts:
    row = connection.execute(
        f"""select count(*) filter (not __is_filtered and __reasons is null),
            count(*) filter (__reasons is not null), count(*) filter (__is_filtered)
            from read_parquet({literal(str(staged))})"""
    ).fetchone()
    good, bad, filtered = row or (0, 0, 0)
    return Counts(good, bad + _reject_count(connection, relation), filtered)


def _refuse_open_quote(
    connection: duckdb.DuckDBPyConnection, config: FeedConfig, relation: Relation, file: SourceFile
) -> None:
    """Refuses a file of which DuckDB did not see the rest, whatever share of it that was."""
    if not relation.keeps_rejects:
        return
    row = connection.execute(
        "select min(line) from reject_errors "
        "where error_type = 'UNQUOTED VALUE' and contains(csv_line, chr(10))"
    ).fetchone()
    if row and row[0] is not None:
        raise RefusedError(
            f"feed '{config.feed}': {file.path} is refused, because a quotation mark in line "
            f"{row[0]} is never closed: all that follows it reads as one value. Nothing of it "
            "landed. Have the line mended; if the file quotes nothing, set options: {quote: ''}."
        )


def _reject_count(connection: duckdb.DuckDBPyConnection, relation: Relation) -> int:
    if not relation.keeps_rejects:
        return 0
    row = connection.execute("select count(distinct line) from reject_errors").fetchone()
    return int(row[0]) if row else 0


def _quarantine(
    connection: duckdb.DuckDBPyConnection,
    home: Home,
    feed: str,
    name: str,
    staged: Path,
    relation: Relation,
    counts: Counts,
) -> None:
    """Writes the bad rows, whole, with all their reasons; one file a batch."""
    if not counts.bad:
        return
    folder = home.quarantine / feed
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    rejects = """
        union all
        select null, list(distinct 'line ' || line || ': ' || error_message), any_value(csv_line)
        from reject_errors group by line
    """
    target = folder / f"{name}.parquet"
    working = folder / f".{name}.parquet"
    connection.execute(
        f"""copy (
            select source_row, __reasons as reasons, __source as source,
                sha256(__source) as row_hash
            from (
                select source_row, __reasons, __source from read_parquet({literal(str(staged))})
                where __reasons is not null {rejects if relation.keeps_rejects else ""}
            )
        ) to {literal(str(working))} (format parquet, compression zstd)"""
    )
    working.chmod(0o600)
    batches.sync(working)
    working.replace(target)
    batches.sync(folder)


def _refuse_bad_share(
    connection: duckdb.DuckDBPyConnection,
    home: Home,
    config: FeedConfig,
    relation: Relation,
    file: SourceFile,
    name: str,
    counts: Counts,
) -> None:
    if not counts.bad:
        return
    path = home.quarantine / config.feed / f"{name}.parquet"
    quarantined = f"read_parquet({literal(str(path))})"
    bad = counts.bad + _swallowed_count(connection, quarantined, relation)
    considered = counts.good + bad
    if bad <= config.tolerated_bad_share * considered:
        return
    kinds = connection.execute(
        f"""select {KIND_OF_REASON} as kind, count(*)
            from (select unnest(reasons) as reason from {quarantined})
            group by kind order by count(*) desc, kind limit 5"""
    ).fetchall()
    examples = connection.execute(
        f"""select array_to_string(reasons, '; ') as told, min(source_row) from {quarantined}
            group by told order by min(source_row) nulls last, told limit {EXAMPLES}"""
    ).fetchall()
    told = ", ".join(f"{count:,} × {kind}" for kind, count in kinds)
    shown = " | ".join(
        f"row {number}: {reasons}" if number else reasons for reasons, number in examples
    )
    raise RefusedError(
        f"feed '{config.feed}': {file.path} is refused, because {bad:,} of its "
        f"{considered:,} rows are bad, a share of {bad / considered:.2%} where "
        f"{config.tolerated_bad_share:.2%} is tolerated ({told}). For example: {shown}. Nothing "
        f"of it landed; the bad rows are in {path}. Have the export or the mapping mended, or "
        "raise the feed's tolerated_bad_share."
    )


def _swallowed_count(
    connection: duckdb.DuckDBPyConnection, quarantined: str, relation: Relation
) -> int:
    """Lines inside the bad rows of a text file, each of which may have been a row."""
    if not relation.keeps_rejects:
        return 0
    # A line that could not be split stands as it was, a row that could as a JSON object.
    row = connection.execute(
        f"""select coalesce(sum(if(
                source_row is null,
                length(source) - length(replace(source, chr(10), '')),
                (length(source) - length(replace(source, '\\n', ''))) // 2
            )), 0) from {quarantined}"""
    ).fetchone()
    return int(row[0]) if row else 0


def _write_parts(
    connection: duckdb.DuckDBPyConnection,
    config: FeedConfig,
    staged: Path,
    folder: Path,
    file: SourceFile,
    secret: bytes,
) -> tuple[Part, ...]:
    """Writes the good rows, pseudonymised; by local day where the contract says so."""
    good = (
        f"(select * from read_parquet({literal(str(staged))}) "
        "where not __is_filtered and __reasons is null)"
    )
    pseudonyms.install(connection, secret)
    select = [_pseudonymised(column) for column in config.contract.columns]
    select += [
        f"{literal(file.path.name)} as source_name",
        f"timestamp '{file.modified_at.isoformat(sep=' ')}' as source_modified_at",
        "source_row",
    ]
    joins = []
    for kind in pseudonyms.KINDS:
        columns = [c.name for c in config.contract.columns if c.pseudonym == kind]
        joins += _pseudonym_joins(connection, kind, columns, good)
    query = f"select {', '.join(select)} from {good} as good {' '.join(joins)}"
    if config.contract.is_partitioned_by_day:
        day = _local_day(config.contract.column(config.contract.time), config.time_zone)
        # Rows of a day lie together; a file of half a year opens 180 writers at once.
        connection.execute("set preserve_insertion_order = false")
        connection.execute("set partitioned_write_max_open_files = 400")
        written = connection.execute(
            f"""copy (select *, {day} as day from ({query})) to {literal(str(folder))} (
                format parquet, compression zstd, partition_by (day),
                write_partition_columns true, overwrite_or_ignore true, return_stats true
            )"""
        ).fetchall()
        stats = [(Path(row[0]), int(row[1])) for row in written]
    else:
        target = folder / "part.parquet"
        row = connection.execute(
            f"copy ({query}) to {literal(str(target))} (format parquet, compression zstd)"
        ).fetchone()
        stats = [(target, int(row[0]) if row else 0)]
    return tuple(sorted((part(folder, *stat) for stat in stats), key=lambda each: each.name))


def part(folder: Path, path: Path, row_count: int) -> Part:
    """What a manifest says of a file in a batch's folder."""
    name = path.relative_to(folder)
    day = name.parts[0].removeprefix("day=") if len(name.parts) > 1 else None
    digest = files.sha256(path)
    return Part(str(name), row_count, digest, dt.date.fromisoformat(day) if day else None)


def _pseudonymised(column: Column) -> str:
    if column.pseudonym is None:
        return f"good.{column.name}"
    return f"p_{column.name}.pseudonym as {column.name}"


def _pseudonym_joins(
    connection: duckdb.DuckDBPyConnection, kind: str, columns: list[str], good: str
) -> list[str]:
    """Hashes each distinct identifier once, and joins the hashes back."""
    if not columns:
        return []
    every = " union all ".join(f"select {name} as identifier from {good}" for name in columns)
    connection.execute(
        f"""create or replace temp table {kind}_pseudonyms as
            select identifier, {pseudonyms.sql(kind, "identifier")} as pseudonym
            from (select distinct identifier from ({every})) as ids, pads
            where identifier is not null"""
    )
    return [
        f"left join {kind}_pseudonyms as p_{name} on p_{name}.identifier = good.{name}"
        for name in columns
    ]


def _local_day(column: Column, time_zone: str) -> str:
    if column.data_type == "date":
        return column.name
    return f"cast(timezone({literal(time_zone)}, timezone('UTC', {column.name})) as date)"


def _days(
    connection: duckdb.DuckDBPyConnection,
    config: FeedConfig,
    parts: tuple[Part, ...],
    folder: Path,
) -> dict[dt.date, int]:
    """Rows by local day of the contract's time column; rows without one have no day."""
    if config.contract.is_partitioned_by_day:
        days: dict[dt.date, int] = {}
        for part in parts:
            if part.day is not None:
                days[part.day] = days.get(part.day, 0) + part.row_count
        return dict(sorted(days.items()))
    column = config.contract.column(config.contract.time)
    day = _local_day(column, config.time_zone)
    rows = connection.execute(
        f"""select {day} as day, count(*) from read_parquet({literal(str(folder / "part.parquet"))})
            where {column.name} is not null group by day order by day"""
    ).fetchall()
    return dict(rows)


def read_columns(
    connection: duckdb.DuckDBPyConnection,
    config: FeedConfig,
    relation: Relation,
    mapped: list[Mapped],
) -> tuple[str, ...]:
    """Source columns the mapping reads: those it cannot do without."""
    read = {n for n in relation.columns for m in mapped if m.expression == identifier(n)}
    texts = [*config.columns.values(), *([config.where] if config.where else [])]
    for name in relation.columns:
        if name not in read and any(name.lower() in text.lower() for text in texts):
            read |= {name} if _breaks_without(connection, config, relation, name) else set()
    return tuple(sorted(read))


def _breaks_without(
    connection: duckdb.DuckDBPyConnection, config: FeedConfig, relation: Relation, name: str
) -> bool:
    kept = {n: kind for n, kind in relation.columns.items() if n != name}
    without = Relation(relation.sql, kept or {"__none": "varchar"}, relation.row_number)
    return bool(bind(connection, config, without))
