"""Reads and validates publisher.yml; every mistake becomes one paragraph that names the fix.

Holds what a publisher states and what can be judged from that text alone. Whether a source
really has the columns an expression names is judged against the source, in checking.py.
"""

import datetime as dt
import difflib
import hashlib
import json
import re
import zoneinfo
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb
import yaml

from orchestration import assumptions, goals, initiatives, metrics, settings
from orchestration.assumptions import Assumption
from orchestration.contracts import Contract, contracts
from orchestration.errors import ConfigurationError
from orchestration.goals import Goal
from orchestration.initiatives import Initiative
from orchestration.texts import nearest

SOURCE_KINDS = ("files",)
# The one in C reads a publisher.yml ten times as fast; it is not everywhere.
_LOADER: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
TOP_KEYS = (
    "publisher",
    "time_zone",
    "currency",
    "as_of",
    "calibration_end",
    "refresh_at",
    "grace_days",
    "heartbeat_seconds",
    "min_visit_seconds",
    "keep_versions",
    "feeds",
)
FEED_KEYS = (*SOURCE_KINDS, "options", "columns", "where", "tolerated_bad_share")
# Part of a mapping's fingerprint: a change of how landing reads rows makes new batches.
LANDING_RULES = "2"

# ISO 4217 codes in use; a typing mistake in the reporting currency would convert everything
# with a rate that nobody quotes.
CURRENCIES = frozenset(
    """AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN
    BWP BYN BZD CAD CDF CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP
    GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS
    KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR
    MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF
    SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD
    TZS UAH UGX USD UYU UZS VED VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG""".split()
)


@dataclass(frozen=True)
class FeedConfig:
    """Where one feed comes from and how its source's columns become the contract's.

    Attributes:
        contract: The feed's contract.
        files: Absolute patterns of the files to read.
        options: What the reader is told about the files (delim, header, encoding …).
        columns: Contract column → SQL expression over the source's columns.
        where: SQL condition a row must meet to be read at all, or None.
        tolerated_bad_share: A larger share of bad rows (0–1) refuses the batch.
        time_zone: The publisher's time zone, which decides the day a row lands under.
    """

    contract: Contract
    files: tuple[str, ...]
    options: Mapping[str, Any]
    columns: Mapping[str, str]
    where: str | None
    tolerated_bad_share: float
    time_zone: str

    @property
    def feed(self) -> str:
        """Name of the feed."""
        return self.contract.feed

    @cached_property
    def fingerprint(self) -> str:
        """Hex digest of all that decides what a source row becomes."""
        stated = {
            "rules": LANDING_RULES,
            "contract": repr(replace(self.contract, description="", columns=self._bare())),
            "options": dict(self.options),
            "columns": dict(self.columns),
            "where": self.where,
            "time_zone": self.time_zone,
        }
        text = json.dumps(stated, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def _bare(self) -> tuple[Any, ...]:
        # A better description of a column must not land everything again.
        return tuple(replace(column, description="") for column in self.contract.columns)


@dataclass(frozen=True)
class Publisher:
    """All that publisher.yml and the files beside it state, validated."""

    path: Path
    name: str
    time_zone: str
    currency: str
    feeds: Mapping[str, FeedConfig]
    assumptions: tuple[Assumption, ...]
    goals: tuple[Goal, ...] = ()
    initiatives: tuple[Initiative, ...] = ()
    as_of: dt.date | None = None
    calibration_end: dt.date | None = None
    refresh_at: dt.time = dt.time(5, 0)
    grace_days: int = 30
    heartbeat_seconds: float = 15.0
    min_visit_seconds: float = 5.0
    keep_versions: int = 5


@dataclass(frozen=True)
class Draft:
    """A publisher as far as it could be read, with every problem found on the way."""

    publisher: Publisher | None
    feeds: Mapping[str, FeedConfig]
    problems: tuple[str, ...]


def load(path: Path) -> Publisher:
    """The publisher stated in `path`.

    Raises:
        ConfigurationError: With one paragraph for each mistake in the file.
    """
    draft = read(path)
    if draft.publisher is None or draft.problems:
        raise ConfigurationError("\n\n".join(draft.problems))
    return draft.publisher


def name_of(path: Path) -> str:
    """The publisher's name alone, for commands that read only its home.

    Raises:
        ConfigurationError: The file cannot be read, or states no name.
    """
    reader = _Reader(path)
    document = reader.document()
    name = reader.name(document) if document else None
    if name is None:
        raise ConfigurationError("\n\n".join(reader.problems))
    return name


def read(path: Path) -> Draft:
    """Reads `path` as far as possible and collects every mistake instead of raising."""
    reader = _Reader(path)
    stated = reader.publisher()
    return Draft(stated, reader.feeds, tuple(reader.problems))


# Why DuckDB cannot parse an expression, by the expression: a daemon reads the same file for ever.
_SQL_PROBLEMS: dict[str, str | None] = {}


def _sql_problem(parser: duckdb.DuckDBPyConnection, expression: str) -> str | None:
    statement = f"select ({expression}\n)"
    row = parser.execute("select json_serialize_sql(?)", [statement]).fetchone()
    parsed = json.loads(row[0]) if row else {}
    if not parsed.get("error"):
        return None if len(parsed["statements"]) == 1 else "it holds more than one statement"
    return str(parsed.get("error_message", "it does not parse")).splitlines()[0]


@dataclass
class _Reader:
    """One reading of one publisher.yml; collects problems."""

    path: Path
    problems: list[str] = field(default_factory=list)
    lines: dict[tuple[str, ...], int] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    feeds: dict[str, FeedConfig] = field(default_factory=dict)

    @cached_property
    def parser(self) -> duckdb.DuckDBPyConnection:
        """One for all expressions: opening DuckDB takes longer than parsing them."""
        return duckdb.connect()

    def sql_problem(self, expression: str) -> str | None:
        """Why DuckDB cannot parse an expression, or None when it can."""
        if not expression.strip():
            return "the expression is empty"
        if expression not in _SQL_PROBLEMS:
            _SQL_PROBLEMS[expression] = _sql_problem(self.parser, expression)
        return _SQL_PROBLEMS[expression]

    def problem(self, where: tuple[str, ...], what: str) -> None:
        line = next(
            (self.lines[where[:n]] for n in range(len(where), 0, -1) if where[:n] in self.lines),
            None,
        )
        place = f"{self.path}, line {line}" if line else str(self.path)
        self.problems.append(f"{place}: {what}")

    def publisher(self) -> Publisher | None:
        document = self.document()
        if document is None:
            return None
        self._unknown_keys(document, TOP_KEYS, ())
        name = self.name(document)
        self.variables = dict(settings.environment())
        if name:
            self.variables.setdefault("ARVO_HOME", str(settings.home_path(name)))
        time_zone = self._time_zone(document)
        self.feeds = self._feeds(document, time_zone or "UTC")
        currency = self._currency(document)
        numbers = self._numbers(document)
        as_of = self._day(document, "as_of", time_zone or "UTC")
        calibration_end = self._day(document, "calibration_end", time_zone or "UTC")
        if as_of and calibration_end and calibration_end >= as_of:
            self.problem(
                ("calibration_end",),
                f"'calibration_end' is {calibration_end}, but the marts stand for {as_of}: nothing "
                "is left to hold the estimates against. Name an earlier day.",
            )
        assumed, wrong = assumptions.read(self.path.parent / assumptions.FILE)
        self.problems += wrong
        wanted, wrong = goals.read(self.path.parent / goals.FILE, metrics.metrics())
        self.problems += wrong
        done, wrong = initiatives.read(
            self.path.parent / initiatives.FILE, [goal.id for goal in wanted]
        )
        self.problems += wrong
        refresh_at = self._refresh_at(document)
        if not (name and time_zone and currency):
            return None
        return Publisher(
            path=self.path,
            name=name,
            time_zone=time_zone,
            currency=currency,
            feeds=self.feeds,
            assumptions=assumed,
            goals=wanted,
            initiatives=done,
            as_of=as_of,
            calibration_end=calibration_end,
            refresh_at=refresh_at,
            **numbers,
        )

    def document(self) -> dict[str, Any] | None:
        try:
            text = self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            self.problem((), "there is no such file. Name a publisher.yml with --publisher.")
            return None
        except (OSError, UnicodeDecodeError) as error:
            self.problem((), f"cannot be read ({error}). Save it as UTF-8 text you may read.")
            return None
        try:
            node = yaml.compose(text, Loader=_LOADER)
            document = yaml.load(text, Loader=_LOADER)  # noqa: S506 - a safe one
        except yaml.YAMLError as error:
            self.problem((), f"is not valid YAML: {_one_line(error)}. Mend the line named.")
            return None
        if not isinstance(document, dict):
            kind = "empty" if document is None else f"a {type(document).__name__}"
            self.problem((), f"must be a mapping of settings, but is {kind}. {_EXAMPLE}")
            return None
        self._note_lines(node, ())
        return {str(key): value for key, value in document.items()}

    def _note_lines(self, node: yaml.Node | None, where: tuple[str, ...]) -> None:
        if not isinstance(node, yaml.MappingNode):
            return
        for key, value in node.value:
            inner = (*where, str(key.value))
            if inner in self.lines:
                self.lines[inner] = key.start_mark.line + 1
                self.problem(
                    inner,
                    f"'{'.'.join(inner)}' is stated twice; YAML would silently keep only the "
                    "last. Keep one of them: a feed has one source.",
                )
            self.lines[inner] = key.start_mark.line + 1
            self._note_lines(value, inner)

    def _unknown_keys(
        self, mapping: Mapping[str, Any], known: Iterable[str], where: tuple[str, ...]
    ) -> None:
        for key in mapping:
            if key not in known:
                place = f" in feed '{where[-1]}'" if where else ""
                self.problem(
                    (*where, str(key)), f"unknown key '{key}'{place}. {nearest(str(key), known)}"
                )

    def name(self, document: Mapping[str, Any]) -> str | None:
        name = document.get("publisher")
        if isinstance(name, str) and re.fullmatch(r"[a-z0-9][a-z0-9_-]*", name):
            return name
        self.problem(
            ("publisher",),
            f"'publisher' must be a short name in lower case (a-z, 0-9, - and _), but is "
            f"{name!r}. It names the home, as in var/<publisher>.",
        )
        return None

    def _time_zone(self, document: Mapping[str, Any]) -> str | None:
        name = document.get("time_zone")
        known = zoneinfo.available_timezones()
        if isinstance(name, str) and name in known:
            return name
        if name is None:
            self.problem((), "'time_zone' is missing. Add one, as in time_zone: Europe/Helsinki.")
            return None
        close = difflib.get_close_matches(str(name), sorted(known), n=1)
        hint = f"Did you mean '{close[0]}'?" if close else "Use a name such as Europe/Helsinki."
        self.problem(("time_zone",), f"there is no time zone '{name}'. {hint}")
        return None

    def _currency(self, document: Mapping[str, Any]) -> str | None:
        code = document.get("currency")
        if isinstance(code, str) and code in CURRENCIES:
            return code
        if code is None:
            self.problem((), "'currency' is missing. Add the reporting currency: currency: EUR.")
            return None
        self.problem(
            ("currency",),
            f"'{code}' is no currency of ISO 4217. Write its three capital letters, as in EUR.",
        )
        return None

    def _numbers(self, document: Mapping[str, Any]) -> dict[str, Any]:
        bounds = {
            "grace_days": (int, 0),
            "heartbeat_seconds": (float, 0.1),
            "min_visit_seconds": (float, 0),
            "keep_versions": (int, 2),
        }
        numbers: dict[str, Any] = {}
        for key, (kind, least) in bounds.items():
            value = document.get(key)
            if value is None:
                continue
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            if not is_number or value < least or (kind is int and value != int(value)):
                whole = "whole " if kind is int else ""
                self.problem(
                    (key,), f"'{key}' must be a {whole}number of at least {least}, not {value!r}."
                )
                continue
            numbers[key] = kind(value)
        return numbers

    def _day(self, document: Mapping[str, Any], key: str, time_zone: str) -> dt.date | None:
        value = document.get(key)
        if value is None:
            return None
        if not isinstance(value, dt.date) or isinstance(value, dt.datetime):
            self.problem((key,), f"'{key}' must be a day such as 2026-06-30, not {value!r}.")
            return None
        if value > dt.datetime.now(zoneinfo.ZoneInfo(time_zone)).date():
            self.problem(
                (key,),
                f"'{key}' is {value}, which has not come yet: marts of that day would take for "
                "facts what nobody knows. Name a day up to today.",
            )
        return value

    def _refresh_at(self, document: Mapping[str, Any]) -> dt.time:
        value = document.get("refresh_at", "05:00")
        try:
            return dt.time.fromisoformat(str(value))
        except ValueError:
            self.problem(
                ("refresh_at",),
                f"'refresh_at' must be a quoted time such as \"05:00\", not {value!r}.",
            )
            return dt.time(5, 0)

    def _feeds(self, document: Mapping[str, Any], time_zone: str) -> dict[str, FeedConfig]:
        stated = document.get("feeds")
        if not isinstance(stated, dict) or not stated:
            self.problem(("feeds",), f"'feeds' must be a mapping of at least one feed. {_EXAMPLE}")
            return {}
        feeds = {}
        for name, entry in stated.items():
            config = self._feed(str(name), entry, time_zone)
            if config is not None:
                feeds[str(name)] = config
        return feeds

    def _feed(self, name: str, entry: Any, time_zone: str) -> FeedConfig | None:
        where = ("feeds", name)
        contract = contracts().get(name)
        if contract is None:
            self.problem(where, f"there is no feed '{name}'. {nearest(name, contracts())}")
            return None
        if not isinstance(entry, dict):
            self.problem(where, f"feed '{name}' must be a mapping with a source. {_EXAMPLE}")
            return None
        found = len(self.problems)
        self._unknown_keys(entry, FEED_KEYS, where)
        files = self._files(name, entry)
        options = self._mapping(where, entry, "options")
        columns = self._columns(contract, entry)
        condition = self._condition(name, entry)
        share = self._bad_share(contract, entry)
        if len(self.problems) > found or files is None:
            return None
        return FeedConfig(contract, files, options, columns, condition, share, time_zone)

    def _files(self, feed: str, entry: Mapping[str, Any]) -> tuple[str, ...] | None:
        where = ("feeds", feed)
        patterns = entry.get("files")
        if patterns is None:
            self.problem(
                where, f"feed '{feed}' names no source. Add one: files: data/{feed}/*.csv."
            )
            return None
        if isinstance(patterns, str):
            patterns = [patterns]
        if not isinstance(patterns, list) or not all(isinstance(p, str) for p in patterns):
            self.problem((*where, "files"), f"feed '{feed}': 'files' must be a pattern or a list.")
            return None
        resolved = [self._substituted((*where, "files"), feed, p) for p in patterns]
        if None in resolved:
            return None
        return tuple(str(self.path.parent / p) for p in resolved if p is not None)

    def _substituted(self, where: tuple[str, ...], feed: str, text: str) -> str | None:
        unset = sorted({n for n in re.findall(r"\$\{(\w+)\}", text) if n not in self.variables})
        for name in unset:
            self.problem(
                where,
                f"feed '{feed}' reads ${{{name}}}, which is not set in the environment. "
                f"Set it: export {name}=…",
            )
        if unset:
            return None
        return re.sub(r"\$\{(\w+)\}", lambda match: self.variables[match[1]], text)

    def _mapping(
        self, where: tuple[str, ...], entry: Mapping[str, Any], key: str
    ) -> dict[str, Any]:
        value = entry.get(key) or {}
        if isinstance(value, dict):
            return {str(name): inner for name, inner in value.items()}
        self.problem((*where, key), f"'{key}' of feed '{where[-1]}' must be a mapping.")
        return {}

    def _columns(self, contract: Contract, entry: Mapping[str, Any]) -> dict[str, str]:
        where = ("feeds", contract.feed)
        columns = {}
        for name, expression in self._mapping(where, entry, "columns").items():
            if name not in contract.column_names:
                self.problem(
                    (*where, "columns", name),
                    f"feed '{contract.feed}' has no contract column '{name}'. "
                    f"{nearest(name, contract.column_names)}",
                )
                continue
            wrong = self.sql_problem(str(expression))
            if wrong:
                self.problem(
                    (*where, "columns", name),
                    f"feed '{contract.feed}', column '{name}': the expression {expression!r} "
                    f"does not parse ({wrong}). Write one SQL expression over the source's "
                    "columns.",
                )
                continue
            columns[name] = str(expression)
        return columns

    def _condition(self, feed: str, entry: Mapping[str, Any]) -> str | None:
        condition = entry.get("where")
        if condition is None:
            return None
        wrong = self.sql_problem(str(condition))
        if wrong:
            self.problem(
                ("feeds", feed, "where"),
                f"feed '{feed}': the condition {condition!r} does not parse ({wrong}). "
                "Write one SQL condition.",
            )
        return str(condition)

    def _bad_share(self, contract: Contract, entry: Mapping[str, Any]) -> float:
        share = entry.get("tolerated_bad_share", contract.tolerated_bad_share)
        if isinstance(share, int | float) and not isinstance(share, bool) and 0 <= share <= 1:
            return float(share)
        self.problem(
            ("feeds", contract.feed, "tolerated_bad_share"),
            f"feed '{contract.feed}': 'tolerated_bad_share' must be a share from 0 to 1, "
            f"not {share!r}.",
        )
        return contract.tolerated_bad_share


_EXAMPLE = "As in: feeds: {events: {files: data/events/*.parquet}}."


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
