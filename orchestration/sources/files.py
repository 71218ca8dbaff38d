"""Feeds that come as files: CSV, JSON lines and Parquet, plain or compressed.

Holds how a file is found, recognised and turned into a relation DuckDB can read. CSV and JSON
values all arrive as text, so that what a row becomes never depends on what other rows made a
sniffer guess; Parquet keeps its types. What the values mean is the mapping's business.
"""

import codecs
import csv
import datetime as dt
import glob
import hashlib
import io
import json
import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from orchestration.errors import ConfigurationError, SystemFailure

CSV_SUFFIXES = (".csv", ".tsv", ".txt")
JSON_SUFFIXES = (".json", ".jsonl", ".ndjson")
COMPRESSED_SUFFIXES = {".gz": "gzip", ".zst": "zstd"}
# Encodings DuckDB reads without an extension; others are re-encoded into a working file first.
NATIVE_ENCODINGS = {"utf-8": "utf-8", "iso8859-1": "latin-1", "utf-16": "utf-16"}
CSV_OPTIONS = ("delim", "quote", "escape", "header", "skip", "comment", "nullstr", "max_line_size")
OPTIONS = ("format", "encoding", "columns", *CSV_OPTIONS)
# A JSON line is read as one text field: no line can hold this character unescaped.
NEVER_IN_JSON = "\x01"
JSON_SAMPLE_LINES = 20_000
CHUNK_BYTES = 1 << 20
LONGEST_LINE = 32 << 20

# Path, size, and time of the last change in ns.
Listed = tuple[str, int, int]


@dataclass(frozen=True)
class SourceFile:
    """One file as it was when it was looked at."""

    path: Path
    size: int
    modified_ns: int
    sha256: str

    @property
    def modified_at(self) -> dt.datetime:
        """When the publisher last wrote the file (UTC, no zone)."""
        return dt.datetime.fromtimestamp(self.modified_ns / 1e9, dt.UTC).replace(tzinfo=None)

    def is_unchanged(self) -> bool:
        """Whether the file still has the size and modification time it was read with."""
        try:
            status = self.path.stat()
        except FileNotFoundError:
            return False
        return (status.st_size, status.st_mtime_ns) == (self.size, self.modified_ns)


@dataclass(frozen=True)
class Relation:
    """A file as DuckDB reads it.

    Attributes:
        sql: A table expression, with its rows as the source wrote them.
        columns: Source column → DuckDB type.
        row_number: SQL for the number of a row in the file, from 1.
        keeps_rejects: Whether lines that cannot be split go to DuckDB's reject tables.
    """

    sql: str
    columns: Mapping[str, str]
    row_number: str
    keeps_rejects: bool = False


def listed(patterns: tuple[str, ...]) -> list[Listed]:
    """Files that match any of the patterns, each once, in order of their paths."""
    # Texts, and looked at once: of a file an hour for a year, paths took longer than all else.
    names = {
        name
        for pattern in patterns
        for name in glob.glob(pattern, recursive=True)  # noqa: PTH207 - absolute or not
    }
    found = []
    for name in sorted(names):
        with suppress(OSError):
            status = os.stat(name)  # noqa: PTH116
            if stat.S_ISREG(status.st_mode):
                found.append((name, status.st_size, status.st_mtime_ns))
    return found


def find(patterns: tuple[str, ...]) -> list[Path]:
    """The paths of `listed`."""
    return list(dict.fromkeys(Path(name) for name, _, _ in listed(patterns)))


def identify(path: Path, known: Mapping[tuple[str, int, int], str]) -> SourceFile:
    """What a file is: its size, time and the SHA-256 of its bytes.

    Args:
        path: The file.
        known: Digests of files seen before by (path, size, modification time in ns), so that
            a refresh with nothing new reads no file again.

    Raises:
        SystemFailure: The file cannot be read.
    """
    try:
        status = path.stat()
        digest = known.get((str(path), status.st_size, status.st_mtime_ns)) or sha256(path)
    except OSError as error:
        raise SystemFailure(
            f"{path} cannot be read ({error.strerror or error}). Check that it still exists and "
            "that this user may read it, then refresh again."
        ) from error
    return SourceFile(path, status.st_size, status.st_mtime_ns, digest)


def relation(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    options: Mapping[str, Any],
    scratch: Path,
) -> Relation:
    """How DuckDB reads one file.

    Args:
        connection: Used to look at the columns of a Parquet file.
        path: The file.
        options: The feed's options from publisher.yml.
        scratch: Folder for a re-encoded copy where DuckDB cannot read the encoding itself.

    Raises:
        ConfigurationError: An option is unknown, or the file has no readable header.
        SystemFailure: The file is not what its name says.
    """
    _check_options(path, options)
    kind = file_format(path, options)
    if kind == "parquet":
        return _parquet(connection, path)
    _check_whole(path)
    _check_encoding(path, options)
    if kind == "json":
        return _json_lines(path, _utf8(path, options, scratch))
    return _csv(path, options, scratch)


def file_format(path: Path, options: Mapping[str, Any]) -> str:
    """csv, json or parquet: as stated in the options, else by the file's ending."""
    stated = options.get("format")
    if stated in ("csv", "json", "parquet"):
        return str(stated)
    if stated is not None:
        raise ConfigurationError(
            f"options.format is {stated!r}. Use csv, json (one object a line) or parquet."
        )
    suffixes = [s.lower() for s in path.suffixes]
    if suffixes and suffixes[-1] in COMPRESSED_SUFFIXES:
        suffixes.pop()
    last = suffixes[-1] if suffixes else ""
    if last == ".parquet":
        return "parquet"
    if last in JSON_SUFFIXES:
        return "json"
    if last in CSV_SUFFIXES:
        return "csv"
    raise ConfigurationError(
        f"{path}: the ending does not say what kind of file this is. Set options: "
        "{format: csv}, json or parquet."
    )


def _check_options(path: Path, options: Mapping[str, Any]) -> None:
    unknown = [name for name in options if name not in OPTIONS]
    if unknown:
        raise ConfigurationError(
            f"{path}: unknown option '{unknown[0]}'. Known are: {', '.join(OPTIONS)}."
        )
    columns = options.get("columns", [])
    if not isinstance(columns, list):
        raise ConfigurationError(
            f"{path}: options.columns must be a list of names for a file without a header."
        )


def _check_whole(path: Path) -> None:
    """Unpacks a compressed file once: DuckDB minds neither a checksum nor a zstd cut off."""
    if _arrow_compression(path) is None:
        return
    try:
        with pa.input_stream(str(path), compression=_arrow_compression(path)) as stream:
            while stream.read(CHUNK_BYTES):
                pass
    except (OSError, pa.ArrowException) as error:
        raise SystemFailure(
            f"{path} cannot be unpacked ({_first_line(error)}). If it was still being written, "
            "refresh again when it is whole; else write it again."
        ) from error


def _check_encoding(path: Path, options: Mapping[str, Any]) -> None:
    """Refuses UTF-8 that would be read as one letter a byte: all of it can be, and none is right.

    A text of another encoding that is valid UTF-8 by chance is as good as impossible.
    """
    encoding = _encoding(options)
    if encoding.startswith("utf"):
        return
    try:
        with _text(path, "utf-8") as text:
            is_ascii = True
            while chunk := text.read(CHUNK_BYTES):
                is_ascii = is_ascii and chunk.isascii()
    except UnicodeError:
        return
    if not is_ascii:
        raise SystemFailure(
            f"{path} is UTF-8, but options.encoding says {encoding}. Leave the option out, or have "
            "the file written as it was before."
        )


def _parquet(connection: duckdb.DuckDBPyConnection, path: Path) -> Relation:
    sql = f"read_parquet({literal(str(path))}, file_row_number = true, hive_partitioning = false)"
    try:
        rows = connection.execute(f"describe select * from {sql}").fetchall()
    except duckdb.Error as error:
        raise SystemFailure(
            f"{path} is not a readable Parquet file ({_first_line(error)}). If it was still being "
            "written, refresh again when it is whole; else write it again."
        ) from error
    columns = {name: kind for name, kind, *_ in rows if name != "file_row_number"}
    return Relation(sql, columns, "file_row_number + 1")


def _json_lines(path: Path, readable: Path) -> Relation:
    """One object a line; values arrive as text, nested ones as JSON text."""
    keys = _json_keys(readable)
    if not keys:
        raise SystemFailure(
            f"{path} holds no JSON object in its first {JSON_SAMPLE_LINES:,} lines. A feed in "
            "JSON has one object a line; write it so, or set options.format."
        )
    line = (
        f"read_csv({literal(str(readable))}, auto_detect = false, header = false, "
        f"delim = {literal(NEVER_IN_JSON)}, quote = '', escape = '', comment = '', "
        # Stated, for DuckDB would take sixteen lines' worth of memory a thread.
        f"columns = {{'line': 'varchar'}}, max_line_size = {LONGEST_LINE}, "
        f"buffer_size = {2 * LONGEST_LINE}, "
        f"compression = {literal(_compression(readable))})"
    )
    fields = ", ".join(
        f"json_extract_string(__object, {literal(_json_path(key))}) as {identifier(key)}"
        for key in keys
    )
    sql = (
        f"(select {fields}, case when __object is null or json_type(__object) <> 'OBJECT' "
        f"then line end as __unreadable from (select line, try_cast(line as json) as __object "
        f"from {line}))"
    )
    return Relation(sql, dict.fromkeys(keys, "VARCHAR"), "row_number() over ()")


def _csv(path: Path, options: Mapping[str, Any], scratch: Path) -> Relation:
    readable = _utf8(path, options, scratch) if not _is_native(options) else path
    has_header = bool(options.get("header", True))
    names = [str(name) for name in options.get("columns", [])]
    if not names:
        names = _csv_names(path, options, has_header)
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ConfigurationError(
            f"{path}: two columns are called '{twice}'. Rename one at the source, or set "
            "options: {header: false, skip: 1, columns: [names in order]}."
        )
    settings = {
        "auto_detect": "false",
        "header": str(has_header).lower(),
        "delim": literal(str(options.get("delim", _default_delimiter(path)))),
        "quote": literal(str(options.get("quote", '"'))),
        "escape": literal(str(options.get("escape", options.get("quote", '"')))),
        "skip": str(int(options.get("skip", 0))),
        "columns": "{" + ", ".join(f"{literal(name)}: 'varchar'" for name in names) + "}",
        "store_rejects": "true",
        "rejects_limit": "0",
        "encoding": literal(NATIVE_ENCODINGS.get(_encoding(options), "utf-8")),
        "compression": literal(_compression(readable)),
        "max_line_size": str(int(options.get("max_line_size", 2_097_152))),
    }
    if "comment" in options:
        settings["comment"] = literal(str(options["comment"]))
    if "nullstr" in options:
        nulls = options["nullstr"]
        nulls = nulls if isinstance(nulls, list) else [nulls]
        settings["nullstr"] = "[" + ", ".join(literal(str(n)) for n in nulls) + "]"
    stated = ", ".join(f"{name} = {value}" for name, value in settings.items())
    sql = f"read_csv({literal(str(readable))}, {stated})"
    return Relation(sql, dict.fromkeys(names, "VARCHAR"), "row_number() over ()", True)


def _csv_names(path: Path, options: Mapping[str, Any], has_header: bool) -> list[str]:
    quote = str(options.get("quote", '"'))
    dialect: dict[str, Any] = {"delimiter": str(options.get("delim", _default_delimiter(path)))}
    if quote:
        dialect["quotechar"] = quote
    else:
        dialect["quoting"] = csv.QUOTE_NONE
    try:
        # Of the rows, those that are not in the encoding go to quarantine.
        with _text(path, _encoding(options), errors="surrogateescape") as text:
            for _ in range(int(options.get("skip", 0))):
                text.readline()
            first = next(csv.reader(text, **dialect), [])
            for name in first:
                name.encode("utf-8")
    except (OSError, UnicodeError, csv.Error, pa.ArrowException) as error:
        raise _not_in(_encoding(options), path, error) from error
    if not any(name.strip() for name in first):
        raise SystemFailure(
            f"{path} has no first line to take column names from. Write the file again, or set "
            "options: {header: false, columns: [names in order]}."
        )
    if has_header:
        return [name.strip() for name in first]
    return [f"column{n}" for n in range(len(first))]


def _json_keys(path: Path) -> list[str]:
    keys: dict[str, None] = {}
    try:
        with _text(path, "utf-8") as text:
            for _, line in zip(range(JSON_SAMPLE_LINES), text, strict=False):
                try:
                    item = json.loads(line)
                except ValueError:
                    continue
                if isinstance(item, dict):
                    keys.update(dict.fromkeys(item))
    except (OSError, UnicodeError, pa.ArrowException) as error:
        raise SystemFailure(
            f"{path} cannot be read as JSON lines ({_first_line(error)}). Check that it is whole "
            "and in UTF-8, or set options: {encoding: …}."
        ) from error
    return list(keys)


def _json_path(key: str) -> str:
    return '$."' + key.replace('"', '\\"') + '"'


def _is_native(options: Mapping[str, Any]) -> bool:
    return _encoding(options) in NATIVE_ENCODINGS


def _encoding(options: Mapping[str, Any]) -> str:
    stated = str(options.get("encoding", "utf-8"))
    try:
        return codecs.lookup(stated).name
    except LookupError as error:
        raise ConfigurationError(
            f"options.encoding is {stated!r}, which is no known encoding. Use a name such as "
            "utf-8, latin-1 or windows-1252."
        ) from error


def _utf8(path: Path, options: Mapping[str, Any], scratch: Path) -> Path:
    """The file itself if it is UTF-8, else a re-encoded working copy of it."""
    encoding = _encoding(options)
    if encoding == "utf-8":
        return path
    scratch.mkdir(parents=True, exist_ok=True)
    copy = scratch / f"{path.name}.utf8"
    try:
        with _text(path, encoding) as text, copy.open("w", encoding="utf-8", newline="") as out:
            while chunk := text.read(CHUNK_BYTES):
                out.write(chunk)
    except UnicodeError as error:
        raise _not_in(encoding, path, error) from error
    return copy


def _not_in(encoding: str, path: Path, error: Exception) -> SystemFailure:
    return SystemFailure(
        f"{path} cannot be read as {encoding} text ({_first_line(error)}). Set options: "
        "{encoding: …} to the encoding it was written with."
    )


def _text(path: Path, encoding: str, errors: str = "strict") -> io.TextIOWrapper:
    stream = pa.input_stream(str(path), compression=_arrow_compression(path))
    # A byte-order mark is no part of the first column's name.
    name = "utf-8-sig" if encoding == "utf-8" else encoding
    return io.TextIOWrapper(stream, encoding=name, errors=errors, newline="")


def _arrow_compression(path: Path) -> str | None:
    return COMPRESSED_SUFFIXES.get(path.suffix.lower())


def _compression(path: Path) -> str:
    return COMPRESSED_SUFFIXES.get(path.suffix.lower(), "none")


def _default_delimiter(path: Path) -> str:
    return "\t" if ".tsv" in [s.lower() for s in path.suffixes] else ","


def sha256(path: Path) -> str:
    """Hex digest of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def literal(text: str) -> str:
    """A text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """A name as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'
