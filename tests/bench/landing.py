"""How much memory and time landing takes for a large file: python -m tests.bench.landing.

Run by hand. Writes a CSV of events, lands it under a memory limit, and prints bytes, rows, seconds
and the peak of resident memory of the process that landed it.
"""

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb

from orchestration import landing, pseudonyms, publisher, settings
from orchestration.settings import Home

ROW_BYTES = 109


def write(path: Path, gigabytes: float) -> None:
    """A CSV of about that size: 30 days of events of a hundredth as many visitors."""
    rows = round(gigabytes * 1e9 / ROW_BYTES)
    duckdb.sql(f"set threads = {settings.threads()}")
    duckdb.sql(
        f"""
        copy (
            select
                'event-' || i as event_id,
                timestamp '2026-01-01' + to_milliseconds(i * {30 * 86_400_000} // {rows})
                    as occurred_at,
                md5((hash(i) % {max(rows // 100, 1)})::varchar) as visitor_id,
                case when i % 3 = 0 then 'reader' || i % 5000 || '@example.fi' end as account_id,
                case when i % 4 = 0 then 'page_view' else 'heartbeat' end as event_type,
                'article-' || i % 2000 as content_id,
                'mobile' as device
            from range({rows}) as numbers(i)
        ) to '{path}' (format csv, header)
        """
    )


def land(folder: Path) -> None:
    """Lands the file in this process and prints what it took."""
    home = Home(folder / "home")
    for path in (home.landing, home.quarantine, home.build):
        path.mkdir(parents=True)
    config = publisher.load(folder / "publisher.yml").feeds["events"]
    began = time.monotonic()
    landed = landing.land(home, config, pseudonyms.key(home), settings.utc_now())
    seconds = time.monotonic() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    rows = sum(manifest.landed_count for manifest in landed.new)
    print(f"landed {rows:,} rows in {seconds:.0f} s, peak memory {peak / 1e9:.2f} GB")


def main() -> None:
    """Writes the file, then lands it in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=10)
    parser.add_argument("--folder", type=Path, help="where to work (default: a temporary one)")
    parser.add_argument("--land", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.land:
        land(asked.land)
        return
    folder = Path(tempfile.mkdtemp(dir=asked.folder))
    try:
        write(folder / "events.csv", asked.gigabytes)
        size = (folder / "events.csv").stat().st_size
        print(f"wrote {size / 1e9:.2f} GB of CSV; memory limit {settings.memory_limit()}")
        stated = {"publisher": "bench", "time_zone": "Europe/Helsinki", "currency": "EUR"}
        feeds = {"events": {"files": "events.csv"}}
        (folder / "publisher.yml").write_text(json.dumps({**stated, "feeds": feeds}))
        subprocess.run([sys.executable, "-m", "tests.bench.landing", "--land", folder], check=True)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
