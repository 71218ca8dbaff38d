"""How the demo's files are written: each as a real system would export it, whole or not at all.

Holds the writers, the planting of rows a source should never have sent, and the counts of both.
What the rows say is the business of the module that makes them.
"""

import csv
import gzip
import io
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import IO, Any, cast

import pyarrow as pa
import pyarrow.parquet as pq

Row = Mapping[str, Any]

# Everything a demo writes. Only this is removed before another one is made: the folder may hold
# files of somebody else's.
OWN_FILES = (
    "events/*.parquet",
    "page_speed/*.parquet",
    "ad_revenue/*.csv",
    "content.jsonl.gz",
    "accounts.jsonl",
    "subscriptions.csv.gz",
    "payments.csv",
    "surveys.csv",
    "feedback.jsonl",
    "referrals.jsonl",
    "mentions.jsonl",
    "costs.csv",
    "exchange_rates.csv",
    "consents.csv",
    "erasures.csv",
    "initiative_members.csv",
    "truths.json",
)
# One bad row after so many good ones, and no more than a handful: landing refuses a file of which
# more than 1 % is bad.
GOOD_PER_BAD, MOST_BAD = 150, 5


class Folder:
    """The folder of the demo's source files, and the counts of what was written to it."""

    def __init__(self, root: Path) -> None:
        """Takes the files of an earlier demo away."""
        root.mkdir(parents=True, exist_ok=True)
        for pattern in OWN_FILES:
            for path in root.glob(pattern):
                path.unlink()
        self.root = root
        self._rows: Counter[str] = Counter()
        self._bad: Counter[str] = Counter()
        self._keys: Counter[str] = Counter()

    def count(self, feed: str, *, rows: int, bad: int, keys: int) -> None:
        """Adds to what was written for a feed."""
        self._rows[feed] += rows
        self._bad[feed] += bad
        self._keys[feed] += keys

    def counts(self) -> dict[str, dict[str, int]]:
        """What was written, by feed."""
        return {
            feed: {
                "rows": self._rows[feed],
                "bad_rows": self._bad[feed],
                "distinct_good_keys": self._keys[feed],
                "repeated_good_rows": self._rows[feed] - self._bad[feed] - self._keys[feed],
            }
            for feed in sorted(self._rows)
        }

    def first(self, feed: str, rows: Iterable[Row], *, wrong: Sequence[Row] = ()) -> Iterator[Row]:
        """Rows of a feed with a key of their own each, and bad copies of a few; counts both.

        Args:
            feed: The feed.
            rows: Good rows.
            wrong: What makes a copy bad, taken in turn.
        """
        planted = 0
        for number, row in enumerate(rows, start=1):
            self.count(feed, rows=1, bad=0, keys=1)
            yield row
            if wrong and number % GOOD_PER_BAD == 0 and planted < MOST_BAD:
                self.count(feed, rows=1, bad=1, keys=0)
                yield {**row, **wrong[planted % len(wrong)]}
                planted += 1

    def again(self, feed: str, rows: Iterable[Row]) -> Iterator[Row]:
        """Other versions or repeats of rows whose keys were written before; counts them."""
        for row in rows:
            self.count(feed, rows=1, bad=0, keys=0)
            yield row

    def csv(
        self, name: str, rows: Iterable[Row], *, delimiter: str = ",", encoding: str = "utf-8"
    ) -> None:
        """A delimited file with a header, gzipped when its name says so."""
        rows = iter(rows)
        first = next(rows)
        with self._writing(name) as stream, _text(stream, encoding) as text:
            writer = csv.DictWriter(text, list(first), delimiter=delimiter, lineterminator="\n")
            writer.writeheader()
            writer.writerows(chain([first], rows))

    def json_lines(self, name: str, rows: Iterable[Row]) -> None:
        """One JSON object a line, gzipped when its name says so."""
        with self._writing(name) as stream, _text(stream, "utf-8") as text:
            for row in rows:
                text.write(json.dumps(row, ensure_ascii=False, default=str) + "\n")

    def parquet(self, name: str, tables: Iterable[pa.Table]) -> None:
        """A typed Parquet file of one table after the other."""
        tables = iter(tables)
        first = next(tables)
        with (
            self._writing(name) as stream,
            pq.ParquetWriter(stream, first.schema, compression="zstd") as writer,
        ):
            for table in chain([first], tables):
                writer.write_table(table)

    def write_text(self, name: str, content: str) -> Path:
        """A text file."""
        with self._writing(name) as stream:
            stream.write(content.encode())
        return self.root / name

    @contextmanager
    def _writing(self, name: str) -> Iterator[IO[bytes]]:
        """A file that has its name only once it is whole."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        working = path.with_name(f".{path.name}")
        with working.open("wb") as stream:
            if name.endswith(".gz"):
                # Neither name nor time: the same content gives the same bytes.
                with gzip.GzipFile("", "wb", 6, stream, mtime=0) as packed:
                    yield cast(IO[bytes], packed)
            else:
                yield stream
        working.replace(path)


@contextmanager
def _text(stream: IO[bytes], encoding: str) -> Iterator[io.TextIOWrapper]:
    text = io.TextIOWrapper(stream, encoding=encoding, newline="")
    yield text
    text.flush()
    text.detach()
