"""Small matters of wording that every message shares."""

import difflib
from collections.abc import Iterable


def visible(text: str) -> str:
    """The text with control characters written out.

    Titles and names come from outside: none of them may move the reader's cursor, colour his
    terminal or break a line.
    """
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


def in_one_paragraph(text: str) -> str:
    """The text without its line breaks."""
    return " ".join(text.split())


def counted(count: int, one: str, many: str | None = None) -> str:
    """So many things, in the singular or the plural."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def nearest(name: str, known: Iterable[str]) -> str:
    """'Did you mean …?' for the nearest known name, else the list of known names."""
    names = list(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f"Did you mean '{close[0]}'?"
    return f"Known are: {', '.join(names)}."
