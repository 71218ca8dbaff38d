"""Reading a file that is a list of entries with ids: goals.yml, initiatives.yml.

Holds what such files share: how their entries are named in messages and how common values are read.
"""

import datetime as dt
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from orchestration import texts

_LOADER: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read(path: Path, key: str) -> tuple[list[Mapping[str, Any]], str]:
    """The entries listed under a key of a YAML file, and why they cannot be had.

    Args:
        path: The file; one that is not there has no entries.
        key: The key of the list, which is also what the entries are called.
    """
    if not path.exists():
        return [], ""
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER)  # noqa: S506
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        told = " ".join(str(error).split())
        return [], f"cannot be read ({told}). Mend it, or take it away."
    listed = document.get(key) if isinstance(document, dict) else None
    if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
        return [], f"must be a list of {key}, as in {key}: [{{id: one_of_them, …}}]."
    return [{str(name): value for name, value in each.items()} for each in listed], ""


def repeated(kind: str, ids: Sequence[str]) -> Iterator[str]:
    """A problem for every id that is there more than once."""
    for name, count in Counter(ids).items():
        if count > 1:
            yield f"{kind} '{name}' is stated {count} times. Give each its own id."


def _is_endless(value: object) -> bool:
    """Whether it is one of the numbers that YAML has beside the finite: .nan, .inf, -.inf."""
    return isinstance(value, int | float) and not abs(value) <= sys.float_info.max


class Entry:
    """One entry being read; collects problems, each of which names it.

    Attributes:
        stated: Its keys and values.
        problems: What is wrong with it.
    """

    def __init__(
        self, kind: str, stated: Mapping[str, Any], place: int, keys: Sequence[str]
    ) -> None:
        """Notes which keys nobody knows.

        Args:
            kind: What messages call it, such as goal.
            stated: Its keys and values.
            place: Its number in the list, from 1.
            keys: The keys it may have.
        """
        named = stated.get("id")
        self.stated = stated
        self._called = f"{kind} '{named}'" if named else f"{kind} number {place}"
        self.problems: list[str] = []
        for key in stated:
            if key not in keys:
                self.problem(f"has an unknown key '{key}'. {texts.nearest(key, keys)}")
            elif _is_endless(stated[key]):
                self.problem(
                    f"has {stated[key]} as {key}: nothing can be reckoned with that. "
                    "Write a finite number."
                )

    def problem(self, told: str) -> None:
        """Notes a problem, told as what the entry has or lacks."""
        self.problems.append(f"{self._called} {told}")

    def id(self) -> str:
        """Its id."""
        value = self.stated.get("id")
        if isinstance(value, str) and re.fullmatch(r"[a-z0-9][a-z0-9_]*", value):
            return value
        self.problem(
            f"needs an id in lower case (a-z, 0-9 and _), but has {value!r}: marts call it by that."
        )
        return ""

    def text(self, key: str, meaning: str) -> str:
        """A text it must have."""
        value = self.stated.get(key)
        if isinstance(value, str) and value.strip():
            return value.strip()
        self.problem(f"has no {key}. Add {meaning}.")
        return ""

    def choice(self, key: str, known: Sequence[str]) -> str:
        """One of the known; the first when it says nothing."""
        value = self.stated.get(key, known[0])
        if value in known:
            return str(value)
        self.problem(f"has {key} '{value}'. It is one of {', '.join(known)}.")
        return known[0]

    def number(self, key: str) -> float:
        """A number it must have."""
        value = self.stated.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool):
            # What is not finite was told when the entry was opened.
            return 0.0 if _is_endless(value) else float(value)
        told = "is missing" if value is None else f"is {value!r}"
        self.problem(f"needs a number as {key}, which {told}.")
        return 0.0

    def day(self, key: str) -> dt.date | None:
        """A day it must have; in quotation marks it is a text, and a day all the same."""
        value = self.stated.get(key)
        if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
            return value
        if isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
            with suppress(ValueError):
                return dt.date.fromisoformat(value)
        self.problem(f"needs a day as {key}, such as 2026-01-01, not {value!r}.")
        return None
