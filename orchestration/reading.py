"""SQL on the published marts: the core of `arvo sql`.

It only reads, takes no lock, and knows nothing of how versions are made (versions.py) or judged
(quality/gate.py). Arguments and exit codes are the command line's.
"""

import contextlib
import datetime as dt
import difflib
import io
import json
import math
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, cast

import duckdb

from orchestration import settings, versions
from orchestration.errors import ConfigurationError, SystemFailure
from orchestration.texts import counted, in_one_paragraph, visible

if TYPE_CHECKING:
    import pyarrow as pa

FORMATS = ("table", "csv", "json", "parquet")
DEFAULT_ROW_LIMIT = 100

_BATCH = 2048
_NULL = "null"
_NUMERIC = re.compile(r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|DECIMAL.*|DOUBLE|FLOAT")
_UNKNOWN_TABLE = re.compile(r"Table with name (\S+) does not exist!")
# DuckDB's own guesses come from its catalogue tables as well.
_ITS_GUESS = re.compile(r'Did you mean "[^"]*"\?|or "[^"]*"\?')


@dataclass(frozen=True)
class Column:
    """A column of an answer and its DuckDB type."""

    name: str
    data_type: str

    @property
    def is_numeric(self) -> bool:
        """Whether its values read best aligned to the right."""
        return _NUMERIC.fullmatch(self.data_type) is not None


class Answer:
    """The rows of one query, taken from DuckDB as they are asked for, once."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Stand for what `connection` has just executed."""
        self._connection = connection
        self.columns = tuple(
            Column(name, str(data_type)) for name, data_type, *_ in connection.description or ()
        )

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """The rows as Python values.

        Raises:
            ConfigurationError: A value met on the way makes the query fail.
        """
        while rows := self._next_rows():
            yield from rows

    def batches(self) -> "pa.RecordBatchReader":
        """The rows as Arrow batches."""
        return self._connection.to_arrow_reader(_BATCH * 16)

    def _next_rows(self) -> list[tuple[Any, ...]]:
        with _explained():
            return self._connection.fetchmany(_BATCH)


@contextlib.contextmanager
def query(published: Path, sql: str) -> Iterator[Answer]:
    """Answer one select from the current version; the answer is good inside the `with`.

    The query reads the published marts and nothing else: no file, no setting, no variable of
    this process.

    Args:
        published: The folder of the versions.
        sql: One statement that only reads: select, with, from, describe, show, summarize.

    Raises:
        ConfigurationError: The text is not one such statement, or DuckDB refuses it; its
            message keeps DuckDB's pointer to the place.
        SystemFailure: There is no version to read.
    """
    with _reader(published) as connection:
        with _explained(_tables(connection)):
            connection.execute(_single_select(connection, sql))
        yield Answer(connection)


def deliver(
    published: Path,
    sql: str,
    form: str = "table",
    output: Path | None = None,
    stream: TextIO | None = None,
    row_limit: int = DEFAULT_ROW_LIMIT,
) -> None:
    """Write the answer to a query in one of `FORMATS`.

    Args:
        published: The folder of the versions.
        sql: What `query` takes.
        form: `table` for people (at most `row_limit` rows, and it says so), `csv` (RFC 4180;
            null is empty, an empty text is quoted), `json` (JSON Lines: one object a row,
            decimals with all their digits) or `parquet`; the last three give every row.
        output: A file to write, which appears only when it is whole; None is `stream`.
        stream: Where to write without `output`; None is standard output.
        row_limit: Rows a table shows at most.

    Raises:
        ConfigurationError: An unknown format, a query that fails, columns without names of
            their own, or Parquet sent to a terminal.
        SystemFailure: There is nothing to read, or the file cannot be written.
    """
    if form not in FORMATS:
        raise ConfigurationError(f"There is no format {form!r}; there are {', '.join(FORMATS)}.")
    target = sys.stdout if stream is None else stream
    if form == "parquet" and output is None and target.isatty():
        raise ConfigurationError(
            "Parquet is no text for a terminal: name a file with --output, or pipe it on."
        )
    with query(published, sql) as answer:
        if output is None:
            _write(answer, form, target, row_limit)
        else:
            with _whole_file(output) as file:
                _write(answer, form, file, row_limit)


def write_table(answer: Answer, stream: TextIO, row_limit: int = DEFAULT_ROW_LIMIT) -> None:
    """Write an answer for people: drawn on a terminal, aligned plain text elsewhere.

    A null reads null; a text that could be taken for one, or for nothing, is quoted. Rows
    too wide for the terminal are written one value a line.
    """
    cells, has_more = _cells(answer, row_limit)
    if stream.isatty():
        _draw(answer.columns, cells, stream)
    else:
        stream.writelines(f"{line}\n" for line in _aligned(answer.columns, cells))
    stream.write(f"{_row_notice(len(cells), has_more)}\n")


def write_csv(answer: Answer, stream: TextIO) -> None:
    """Write every row as CSV; null is an empty field, an empty text a quoted one."""
    stream.write(",".join(_csv(column.name) for column in answer.columns) + "\n")
    for row in answer.rows():
        stream.write(",".join(map(_csv, row)) + "\n")


def write_json(answer: Answer, stream: TextIO) -> None:
    """Write every row as a JSON object in a line of its own."""
    names = [f"{json.dumps(name, ensure_ascii=False)}: " for name in _distinct(answer.columns)]
    for row in answer.rows():
        members = (name + _json(value) for name, value in zip(names, row, strict=True))
        stream.write("{" + ", ".join(members) + "}\n")


def write_parquet(answer: Answer, stream: io.BufferedIOBase) -> None:
    """Write every row as Parquet, compressed with zstd."""
    # Loading Arrow takes longer than most queries; only this format needs it.
    import pyarrow as pa
    import pyarrow.parquet as pq

    _distinct(answer.columns)
    try:
        batches = answer.batches()
        with pq.ParquetWriter(stream, batches.schema, compression="zstd") as writer:
            for batch in batches:
                writer.write_batch(batch)
    except (duckdb.Error, pa.ArrowException) as error:
        raise ConfigurationError(f"The query failed. {in_one_paragraph(str(error))}") from error


@contextlib.contextmanager
def _reader(published: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to the current version that can do nothing but read it."""
    versions.current(published)
    with tempfile.TemporaryDirectory(prefix="arvo-sql-") as spill:
        try:
            # Opened by the link, the database has the same name in every client: marts.
            connection = duckdb.connect(
                str(published / versions.LINK),
                read_only=True,
                config=settings.for_others_sql(spill),
            )
        except duckdb.Error as error:
            raise SystemFailure(
                f"The published marts in {published} cannot be opened: "
                f"{in_one_paragraph(str(error))} `arvo rollback` returns to the version before."
            ) from error
        with connection:
            connection.execute("set TimeZone = 'UTC'")
            connection.execute(settings.NO_PROGRESS_BAR)
            connection.execute("set lock_configuration = true")
            yield connection


def _single_select(connection: duckdb.DuckDBPyConnection, sql: str) -> duckdb.Statement:
    statements = connection.extract_statements(sql)
    if len(statements) != 1:
        raise ConfigurationError(
            f"One statement at a time: the text holds {len(statements) or 'none'}."
        )
    if statements[0].type != duckdb.StatementType.SELECT:
        kind = statements[0].type.name.lower().replace("_", " ")
        raise ConfigurationError(
            f"The published marts are only read: a select (or with, from, describe, show, "
            f"summarize) is answered, this is of the kind {kind!r}."
        )
    return statements[0]


@contextlib.contextmanager
def _explained(tables: Sequence[str] = ()) -> Iterator[None]:
    """Turn what DuckDB says about a query into one paragraph and its pointer."""
    try:
        yield
    except (duckdb.OutOfMemoryException, duckdb.IOException, duckdb.InternalException) as error:
        raise SystemFailure(
            f"The query could not be carried out: {in_one_paragraph(str(error))}"
        ) from error
    except duckdb.Error as error:
        raise ConfigurationError(_query_message(str(error), tables)) from error


def _query_message(message: str, tables: Sequence[str]) -> str:
    text, line, pointer = message.partition("LINE ")
    unknown = _UNKNOWN_TABLE.search(text)
    if unknown is not None:
        text = f"{_ITS_GUESS.sub('', text)} {_nearest(unknown[1], tables)}"
    elif "disabled by configuration" in text:
        text += " Only the published marts can be read here, no other file."
    paragraph = f"The query failed. {in_one_paragraph(text)}"
    return f"{paragraph}\n{line}{pointer.rstrip()}" if line else paragraph


def _nearest(name: str, tables: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, tables, n=3, cutoff=0.6)
    if near:
        return f"The nearest marts: {', '.join(near)}."
    return f"There are: {', '.join(tables)}."


def _tables(connection: duckdb.DuckDBPyConnection) -> list[str]:
    rows = connection.execute("select table_name from duckdb_tables() order by 1").fetchall()
    return [name for (name,) in rows]


# The formats


def _write(answer: Answer, form: str, stream: TextIO, row_limit: int) -> None:
    if form == "parquet":
        stream.flush()
        write_parquet(answer, cast(io.BufferedIOBase, stream.buffer))
    elif form == "csv":
        write_csv(answer, stream)
    elif form == "json":
        write_json(answer, stream)
    else:
        write_table(answer, stream, row_limit)


@contextlib.contextmanager
def _whole_file(path: Path) -> Iterator[TextIO]:
    """A text file that takes its name only when everything has been written."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("w", encoding="utf-8", newline="") as file:
            yield file
        partial.replace(path)
    except OSError as error:
        raise SystemFailure(f"{path} cannot be written: {error}.") from error
    finally:
        partial.unlink(missing_ok=True)


def _distinct(columns: Sequence[Column]) -> list[str]:
    names = [column.name for column in columns]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ConfigurationError(
            f"Several columns of the answer are called {', '.join(repeated)}: give each a name "
            "of its own (select … as …)."
        )
    return names


def _cells(answer: Answer, row_limit: int) -> tuple[list[list[str]], bool]:
    """The first rows as texts, and whether there are more."""
    cells: list[list[str]] = []
    for row in answer.rows():
        if len(cells) == row_limit:
            return cells, True
        cells.append([_cell(value) for value in row])
    return cells, False


def _cell(value: object) -> str:
    if value is None:
        return _NULL
    text = visible(_plain(value))
    return f"'{text}'" if text in ("", _NULL) else text


def _aligned(columns: Sequence[Column], cells: Sequence[Sequence[str]]) -> Iterator[str]:
    from rich.cells import cell_len

    names = [visible(column.name) for column in columns]
    widths = [max(map(cell_len, values)) for values in zip(names, *cells, strict=True)]
    lines = (names, ["-" * width for width in widths], *cells)
    for line in lines:
        padded = (
            _padded(text, width - cell_len(text), column.is_numeric)
            for text, width, column in zip(line, widths, columns, strict=True)
        )
        yield "  ".join(padded).rstrip()


def _padded(text: str, missing: int, is_numeric: bool) -> str:
    return " " * missing + text if is_numeric else text + " " * missing


def _draw(columns: Sequence[Column], cells: Sequence[Sequence[str]], stream: TextIO) -> None:
    from rich.cells import cell_len
    from rich.console import Console

    console = Console(file=stream, highlight=False, markup=False, emoji=False)
    if max(map(cell_len, _aligned(columns, cells))) <= console.width:
        _draw_grid(console, columns, cells)
    else:
        _draw_records(console, columns, cells)


def _draw_grid(console: Any, columns: Sequence[Column], cells: Sequence[Sequence[str]]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        side = "right" if column.is_numeric else "left"
        table.add_column(Text(visible(column.name)), justify=side, no_wrap=True)  # type: ignore[arg-type]
    for row in cells:
        table.add_row(*(Text(text, style="dim" if text == _NULL else "") for text in row))
    console.print(table)


def _draw_records(console: Any, columns: Sequence[Column], cells: Sequence[Sequence[str]]) -> None:
    from rich.text import Text

    names = [visible(column.name) for column in columns]
    width = max(map(len, names))
    for number, row in enumerate(cells, start=1):
        console.print(Text(f"row {number}", style="bold"))
        for name, text in zip(names, row, strict=True):
            line = Text(f"  {name:<{width}}  ", style="cyan")
            line.append(text, style="dim" if text == _NULL else "default")
            console.print(line, soft_wrap=True)


def _row_notice(count: int, has_more: bool) -> str:
    if has_more:
        return (
            f"These are the first {counted(count, 'row')}; there are more. "
            "--format csv, json or parquet gives all of them."
        )
    return f"({counted(count, 'row')})"


def _plain(value: object) -> str:
    """A value as people write it; instants as in SQL."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, dt.datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, bytes):
        return f"\\x{value.hex()}"
    if isinstance(value, (dict, list, tuple)):
        return _json(value)
    return str(value)


def _csv(value: object) -> str:
    if value is None:
        return ""
    text = _plain(value)
    if text == "" or any(char in text for char in ',"\r\n'):
        return '"' + text.replace('"', '""') + '"'
    return text


def _json(value: object) -> str:
    """A value as JSON; a decimal keeps its digits, which a float would not."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "null"
    if isinstance(value, (bool, int, float)):
        return json.dumps(value)
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, dict):
        members = (f"{_json(_plain(key))}: {_json(each)}" for key, each in value.items())
        return "{" + ", ".join(members) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_json, value)) + "]"
    text = value.isoformat() if isinstance(value, dt.datetime) else _plain(value)
    return json.dumps(text, ensure_ascii=False)
