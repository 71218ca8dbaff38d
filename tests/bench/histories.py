"""Random histories, incremental against full: python -m tests.bench.histories --histories 100.

Run by hand; `tests/refresh/test_any_order.py` plays a few in every test run. Each history of
`tests/refresh/history.py` is refreshed as its files arrive, and at once from all of them in a home
of its own; every fourth is also built anew in the first home. The marts, and what they are made
of, must be the same row for row. Prints each difference when it is found and a report at the end;
exits with 1 when there was one.
"""

import argparse
import json
import os
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.refresh import history
from tests.refresh.history import History

KEY = "0123456789abcdef0123456789abcdef"
REBUILT_EVERY = 4
# Small models gain nothing from threads, and nobody reads the logs.
FRUGAL = {"ARVO_THREADS": "1"}


@dataclass
class Seen:
    """What a run saw.

    Attributes:
        differences: What differed in a history, by its seed.
    """

    histories: int = 0
    refreshes: int = 0
    killed: int = 0
    full_builds: int = 0
    batches: int = 0
    rows: int = 0
    compared: int = 0
    differences: dict[int, dict[str, str]] = field(default_factory=dict)

    def add(self, made: History, folder: Path) -> None:
        """Plays a history in an empty folder and notes what differs."""
        home = history.publisher(folder / "arriving")
        arrived = history.played(home, made)
        at_once = history.loaded(history.publisher(folder / "at_once"), made)
        found = history.differences(arrived, at_once, but=history.TELL_OF_DELIVERIES)
        self.full_builds += 1
        if made.seed % REBUILT_EVERY == 0:
            home.build(is_full=True, as_of=made.arrivals[-1].as_of)
            anew = history.differences(arrived, home.built())
            found |= {f"{name}, built anew": told for name, told in anew.items()}
            self.full_builds += 1
        self.histories += 1
        self.killed += sum(arrival.dies_before is not None for arrival in made.arrivals)
        self.refreshes += sum(arrival.dies_before is None for arrival in made.arrivals)
        self.batches += made.batch_count
        self.rows += made.row_count
        self.compared += sum(len(rows) for rows in arrived.values())
        if found:
            self.differences[made.seed] = found

    def told(self) -> str:
        """The report."""
        return json.dumps(
            {
                "histories": self.histories,
                "refreshes": self.refreshes,
                "killed refreshes": self.killed,
                "full builds": self.full_builds,
                "batches": self.batches,
                "rows landed": self.rows,
                "rows compared": self.compared,
                "differences": self.differences,
            },
            indent=1,
        )


def play(seen: Seen, seed: int) -> None:
    """Plays one history; an error in it is a difference."""
    made = history.history(seed)
    with tempfile.TemporaryDirectory(prefix="histories-") as folder:
        try:
            seen.add(made, Path(folder))
        except Exception:
            seen.differences[seed] = {"error": traceback.format_exc(limit=-4)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Plays so many histories from a seed on."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--histories", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args(arguments)
    os.environ.update({"ARVO_PSEUDONYM_KEY": KEY, **FRUGAL})
    seen = Seen()
    for seed in range(asked.seed, asked.seed + asked.histories):
        began = time.monotonic()
        play(seen, seed)
        found = json.dumps(seen.differences[seed], indent=1) if seed in seen.differences else "same"
        sys.stdout.write(f"history {seed}, {time.monotonic() - began:.0f} s: {found}\n")
        sys.stdout.flush()
    sys.stdout.write(seen.told() + "\n")
    return 1 if seen.differences else 0


if __name__ == "__main__":
    sys.exit(main())
