"""How readers fare while versions change: python -m tests.bench.readers.

Run by hand. So many processes query the published link, with half a second's pause in between,
first while nothing is published, then through so many publishes with pruning; half of them
resolve the link themselves and dawdle before they open it, and one holds each version open until
it has been pruned. Prints queries, errors, mixed versions and latencies; exits with 1 when there
was an error or a mixture.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import duckdb

from orchestration import settings, versions

PAUSE_SECONDS = 0.5
DAWDLE_SECONDS = 0.2
QUIET_SECONDS = 15
ROWS = 200_000


def publish(folder: Path, generation: int, rows: int, keep: int, grace: float) -> None:
    """One more version: two marts whose rows all say which generation they are of."""
    warehouse, candidate = folder / "warehouse.duckdb", folder / "candidate.duckdb"
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("create schema if not exists marts")
        for mart in ("customers", "customer_value"):
            connection.execute(
                f"create or replace table marts.{mart} as "
                f"select i as customer_id, {generation} as generation from range({rows}) as t(i)"
            )
    versions.write_candidate(warehouse, candidate)
    versions.commit(
        folder / "published", candidate, f"r{generation}", keep=keep, grace_seconds=grace
    )


def look(connection: duckdb.DuckDBPyConnection) -> set[int]:
    """Every generation that the marts speak of: one, unless versions are mixed."""
    rows = connection.execute(
        "select distinct generation from customers "
        "union select distinct generation from customer_value"
    ).fetchall()
    return {generation for (generation,) in rows}


def opened(path: Path) -> duckdb.DuckDBPyConnection:
    """A reader's connection."""
    return duckdb.connect(str(path), read_only=True, config={"threads": 1})


def read(folder: Path, number: int) -> dict[str, Any]:
    """Queries until told to stop; half of the readers resolve the link first and dawdle."""
    link = folder / "published" / versions.LINK
    found: dict[str, Any] = {"latencies": [], "errors": [], "mixed": [], "seen": []}
    deadline = time.monotonic() + 3600
    (folder / f"reading-{number}").touch()
    while not (folder / "stop").exists() and time.monotonic() < deadline:
        time.sleep(PAUSE_SECONDS)
        began = time.monotonic()
        dawdled = 0.0
        try:
            path = link
            if number % 2:
                path = link.resolve(strict=True)
                time.sleep(DAWDLE_SECONDS)
                dawdled = DAWDLE_SECONDS
            with opened(path) as connection:
                generations = look(connection)
        except (duckdb.Error, OSError) as error:
            found["errors"].append(repr(error))
            continue
        found["latencies"].append([began, time.monotonic() - began - dawdled])
        if len(generations) != 1:
            found["mixed"].append(sorted(generations))
        found["seen"].append(max(generations))
    return found


def hold(folder: Path, rows: int) -> dict[str, Any]:
    """Holds a version open until its file is gone, reads it again, and takes the next one."""
    link = folder / "published" / versions.LINK
    found: dict[str, Any] = {"held": 0, "wrong": []}
    deadline = time.monotonic() + 3600
    while not (folder / "stop").exists() and time.monotonic() < deadline:
        path = link.resolve()
        with opened(path) as connection:
            before = look(connection)
            while path.exists() and not (folder / "stop").exists():
                time.sleep(PAUSE_SECONDS / 10)
            if path.exists():
                break
            again = look(connection)
            count = connection.execute("select count(*) from customers").fetchone()
            if again != before or count != (rows,):
                found["wrong"].append(path.name)
            found["held"] += 1
    return found


def campaign(folder: Path, readers: int, publishes: int, rows: int, quiet: float) -> dict[str, Any]:
    """Readers through a quiet time, then through the publishes; what all of them found."""
    publish(folder, 0, rows, keep=2, grace=3600)
    roles = [f"read-{number}" for number in range(readers)] + ["hold"]
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.bench.readers", "--role", role, str(rows), str(folder)],
            cwd=settings.project_root(),
            stdout=subprocess.PIPE,
            text=True,
        )
        for role in roles
    ]
    try:
        deadline = time.monotonic() + 120
        while len(list(folder.glob("reading-*"))) < readers and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(quiet)
        began = time.monotonic()
        for generation in range(1, publishes + 1):
            # A reader who has resolved the link has this grace to open what it found.
            publish(folder, generation, rows, keep=2, grace=2 * DAWDLE_SECONDS)
            time.sleep(PAUSE_SECONDS / 5)
        ended = time.monotonic()
        time.sleep(2 * PAUSE_SECONDS)
        (folder / "stop").touch()
        found = [json.loads(process.communicate(timeout=120)[0]) for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait(timeout=30)
    return told(found[:-1], found[-1], began, ended)


def told(
    found: list[dict[str, Any]], held: dict[str, Any], began: float, ended: float
) -> dict[str, Any]:
    """The report; latencies of the queries that began before, and during, the publishes."""
    queries = [each for one in found for each in one["latencies"]]
    return {
        "readers": len(found),
        "queries": len(queries),
        "errors": [each for one in found for each in one["errors"]],
        "mixed versions": [each for one in found for each in one["mixed"]],
        "readers that saw versions in order": sum(
            one["seen"] == sorted(one["seen"]) for one in found
        ),
        "versions seen": len({each for one in found for each in one["seen"]}),
        "versions held open until they were pruned": held["held"],
        "held versions that changed": held["wrong"],
        "quiet": percentiles([took for at, took in queries if at < began]),
        "publishing": percentiles([took for at, took in queries if began <= at < ended]),
        "publishing took": f"{ended - began:.0f} s",
    }


def percentiles(seconds: list[float]) -> str:
    """Median and 99th percentile, in milliseconds."""
    if len(seconds) < 2:
        return f"{len(seconds)} queries"
    hundredths = statistics.quantiles(seconds, n=100, method="inclusive")
    return (
        f"{len(seconds)} queries, p50 {hundredths[49] * 1000:.0f} ms, "
        f"p99 {hundredths[98] * 1000:.0f} ms"
    )


def main() -> int:
    """Runs the campaign, or one of its processes; 1 when a reader was served badly."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--readers", type=int, default=16)
    parser.add_argument("--publishes", type=int, default=50)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--quiet", type=float, default=QUIET_SECONDS, help="seconds before")
    parser.add_argument("--role", nargs=3, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.role:
        role, rows, name = asked.role
        folder = Path(name)
        is_holder = role == "hold"
        found = hold(folder, int(rows)) if is_holder else read(folder, int(role.split("-")[1]))
        json.dump(found, sys.stdout)
        return 0
    with tempfile.TemporaryDirectory() as name:
        report = campaign(Path(name), asked.readers, asked.publishes, asked.rows, asked.quiet)
    print(json.dumps({**report, "processors": os.cpu_count()}, indent=1))
    bad = report["errors"] or report["mixed versions"] or report["held versions that changed"]
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
