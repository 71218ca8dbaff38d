"""What a fault is: one thing spoiled, and what must come of it."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from tests.faults.site import LAND, Met, Site

# What may come of a fault. Only the last three may let a refresh go on to publishing.
QUARANTINED, REFUSED, REPAIRED, WARNED, ACCEPTED = (
    "quarantined",
    "refused",
    "repaired",
    "warned",
    "accepted",
)
OUTCOMES = (QUARANTINED, REFUSED, WARNED, REPAIRED, ACCEPTED)
Holds = Callable[[Met], None]
Spoil = Callable[[Site], Holds | None]


@dataclass(frozen=True)
class Fault:
    """One entry of the catalogue.

    Attributes:
        name: What is wrong, in words.
        spoils: The file, table or code that is spoiled.
        outcome: quarantined, refused, repaired, warned or accepted.
        told: What the user reads, or for what is repaired or accepted what then holds; an
            ellipsis stands for what differs from run to run.
        until: The step of the refresh that must meet it.
        spoil: Spoils it; may return what must hold afterwards beside the outcome.
        code: Exit code of the command when it is refused.
        rows: Rows that go to quarantine for it.
        lost: Good rows of the file that are among them.
    """

    name: str
    spoils: str
    outcome: str
    told: str
    until: str
    spoil: Spoil
    code: int
    rows: int
    lost: int

    @property
    def pattern(self) -> str:
        """`told` as a regular expression."""
        return ".*".join(re.escape(part) for part in self.told.split(" … "))


class Chapter:
    """Faults that spoil the same kind of thing, in the order they are stated."""

    def __init__(self, title: str, until: str = LAND) -> None:
        """A chapter whose faults are met by that step unless they say otherwise."""
        self.title = title
        self.until = until
        self.faults: list[Fault] = []

    def fault(
        self,
        name: str,
        spoils: str,
        outcome: str,
        told: str,
        *,
        until: str | None = None,
        code: int = 1,
        rows: int = 1,
        lost: int = 0,
    ) -> Callable[[Spoil], Spoil]:
        """Enters the function below it as a fault."""

        def enter(spoil: Spoil) -> Spoil:
            self.faults.append(
                Fault(name, spoils, outcome, told, until or self.until, spoil, code, rows, lost)
            )
            return spoil

        return enter
