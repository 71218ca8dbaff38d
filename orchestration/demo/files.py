"""How the demo's files are written: each as a real system would export it, whole or not at all."""

import csv
import gzip
import io
import json
import shutil
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

Row = Mapping[str, Any]


class Folder:
    """The folder of the demo's source files, and the counts of what was written to it."""

    def __init__(self, root: Path) -> None:
        """Empties the folder of an earlier demo's files."""
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir(parents=True)
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
            }
            for feed in sorted(self._rows)
        }

    def csv(
        self,
        name: str,
        rows: Sequence[Row],
        *,
        delimiter: str = ",",
        encoding: str = "utf-8",
        header: Sequence[str] = (),
    ) -> None:
        """A delimited file with a header, gzipped when its name says so."""
        stream = io.StringIO()
        names = list(header or rows[0])
        writer = csv.DictWriter(stream, names, delimiter=delimiter, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        self._write(name, stream.getvalue().encode(encoding))

    def json_lines(self, name: str, rows: Iterable[Row]) -> None:
        """One JSON object a line."""
        lines = (json.dumps(row, ensure_ascii=False, default=str) + "\n" for row in rows)
        self._write(name, "".join(lines).encode())

    def parquet(self, name: str, table: pa.Table) -> None:
        """A typed Parquet file."""
        path = self._path(name)
        working = path.with_name(f".{path.name}")
        pq.write_table(table, working, compression="zstd")
        working.replace(path)

    def write_text(self, name: str, text: str) -> Path:
        """A text file."""
        return self._write(name, text.encode())

    def _write(self, name: str, content: bytes) -> Path:
        path = self._path(name)
        if name.endswith(".gz"):
            content = gzip.compress(content, compresslevel=6, mtime=0)
        working = path.with_name(f".{path.name}")
        working.write_bytes(content)
        return working.replace(path)

    def _path(self, name: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path
