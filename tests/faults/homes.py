"""Faults of the home: its rights, its room, its files, its key."""

import os
import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestration import landing, versions
from tests.faults.fault import ACCEPTED, REFUSED, REPAIRED, Chapter, Holds
from tests.faults.site import CHECK, LAND, PUBLISH, READ, WHOLE, Met, Site

CHAPTER = Chapter("The home", CHECK)
KEY = "0123456789abcdef0123456789abcdef"
NOBODY = 65_534


@CHAPTER.fault(
    "a home this user may not write to",
    "the home",
    REFUSED,
    "cannot be written (Permission denied). Make room or give this user the right",
    code=3,
)
def unwritable_home(site: Site) -> None:
    shutil.rmtree(site.home.reports)
    site.condition = read_only(site.home.root)


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """A folder that nobody may write to; for root, whom rights do not bind, as somebody else."""
    folder.chmod(0o555)
    user = os.geteuid()
    if user == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(user)
        folder.chmod(0o755)


@CHAPTER.fault(
    "a disk that is full when a batch is written",
    "landing/",
    REFUSED,
    "payments.csv could not be landed: … Nothing of it landed … make room",
    until=LAND,
    code=3,
)
def full_disk_landing(site: Site) -> None:
    site.add("payments", {"booking": "P99999999"})
    read = landing._read_file

    def read_file(*arguments: object) -> object:
        with no_room():
            return read(*arguments)  # type: ignore[arg-type]

    site.patch.setattr(landing, "_read_file", read_file)


@CHAPTER.fault(
    "a disk that is full when the marts are written",
    "build/",
    REFUSED,
    "Copying the marts of … failed: … Put this right and run `arvo refresh` again",
    until=PUBLISH,
    code=3,
)
def full_disk_publishing(site: Site) -> None:
    copied = versions._copy_marts

    def copy_marts(*arguments: object) -> None:
        with no_room():
            copied(*arguments)  # type: ignore[arg-type]

    site.patch.setattr(versions, "_copy_marts", copy_marts)


@CHAPTER.fault(
    "a disk that is full from the first byte",
    "the home",
    REFUSED,
    "cannot be written (File too large). Make room",
    code=3,
)
def full_disk(site: Site) -> None:
    site.condition = no_room()


@contextmanager
def no_room() -> Iterator[None]:
    """Lets the kernel refuse every byte written to a file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@CHAPTER.fault(
    "a lock left by a process that was killed",
    "the home's lock",
    REPAIRED,
    "the lock ended with its process: the refresh runs",
)
def stale_lock(site: Site) -> None:
    (site.home.root / "lock").write_text("20260101T000000Z-0001 (process 999999)\n")


@CHAPTER.fault(
    "a report that still says running",
    "reports/",
    REPAIRED,
    "the killed refresh is told as failed",
)
def killed_report(site: Site) -> Holds:
    [report] = site.home.reports.glob("*/report.json")
    text = report.read_text().replace('"verdict": "published"', '"verdict": "running"')
    killed = site.home.reports / "20260101T000000Z-0001"
    killed.mkdir()
    text = text.replace(report.parent.name, killed.name)
    (killed / "report.json").write_text(text)

    def holds(met: Met) -> None:
        told = (killed / "report.json").read_text()
        assert '"verdict": "failed"' in told
        assert "the refresh was killed before it ended." in told

    return holds


@CHAPTER.fault(
    "half a batch, left by a killed landing",
    "landing/payments/",
    REPAIRED,
    "it is no batch, and is removed",
)
def half_a_batch(site: Site) -> Holds:
    folder = site.home.landing / "payments" / f".incoming-{'0' * 32}"
    shutil.copytree(site.batch("payments"), folder)

    def holds(met: Met) -> None:
        assert not folder.exists()

    return holds


@CHAPTER.fault(
    "a corrupt manifest",
    "landing/payments/",
    REFUSED,
    "manifest.json cannot be read as the manifest of a batch … Move … away and refresh",
    code=3,
)
def corrupt_manifest(site: Site) -> None:
    path = site.batch("payments") / "manifest.json"
    path.write_text(path.read_text()[:100])


@CHAPTER.fault(
    "a landed file that is gone",
    "landing/payments/",
    REFUSED,
    "part.parquet",
    until=WHOLE,
    code=3,
)
def missing_part(site: Site) -> None:
    (site.batch("payments") / "part.parquet").unlink()


@CHAPTER.fault(
    "a corrupt warehouse",
    "build/warehouse.duckdb",
    REFUSED,
    "warehouse.duckdb cannot be opened … delete",
    until=WHOLE,
    code=3,
)
def corrupt_warehouse(site: Site) -> None:
    content = site.home.warehouse.read_bytes()
    site.home.warehouse.write_bytes(bytes(4096) + content[4096:])


@CHAPTER.fault(
    "a published link that points nowhere, met by a reader",
    "published/marts.duckdb",
    REFUSED,
    "marts.duckdb points to marts-000009-gone.duckdb, which is no version in that folder … "
    "`arvo rollback REFRESH` returns to one of those",
    until=READ,
    code=3,
)
def dangling_link_read(site: Site) -> None:
    _point_nowhere(site)


@CHAPTER.fault(
    "a published link that points nowhere, met by a refresh",
    "published/marts.duckdb",
    REPAIRED,
    "the refresh publishes anew, and the link leads to it",
    until=PUBLISH,
)
def dangling_link(site: Site) -> Holds:
    _point_nowhere(site)

    def holds(met: Met) -> None:
        assert met.run is not None
        assert met.run.version is not None
        assert site.current() == met.run.version.path

    return holds


def _point_nowhere(site: Site) -> None:
    link = site.home.published / "marts.duckdb"
    link.unlink()
    link.symlink_to("marts-000009-gone.duckdb")


@CHAPTER.fault(
    "a published file copied over the link",
    "published/marts.duckdb",
    REPAIRED,
    "the refresh puts a link in its place",
    until=PUBLISH,
)
def copied_over_link(site: Site) -> Holds:
    link = site.home.published / "marts.duckdb"
    content = link.read_bytes()
    link.unlink()
    link.write_bytes(content)

    def holds(met: Met) -> None:
        assert link.is_symlink()

    return holds


@CHAPTER.fault(
    "a wrong pseudonym key",
    "ARVO_PSEUDONYM_KEY",
    REFUSED,
    "the pseudonym key is not the one that … was landed with: every known customer would become",
    until=LAND,
    code=3,
)
def wrong_key(site: Site) -> None:
    site.patch.setenv("ARVO_PSEUDONYM_KEY", KEY)


@CHAPTER.fault(
    "a home whose key is lost",
    "pseudonym.key",
    REFUSED,
    "pseudonym.key is gone, and … was landed with it … Restore it from a backup",
    until=LAND,
    code=3,
)
def lost_key(site: Site) -> Holds:
    site.home.key_file.unlink()

    def holds(met: Met) -> None:
        # A new one in its place would look like the one that is wanted back.
        assert not site.home.key_file.exists()

    return holds


@CHAPTER.fault(
    "a key file that was emptied",
    "pseudonym.key",
    REFUSED,
    "pseudonym.key is empty: with no key everybody could repeat the pseudonyms",
    until=LAND,
    code=3,
)
def empty_key(site: Site) -> None:
    site.home.key_file.write_bytes(b"")


@CHAPTER.fault(
    "the proof of the key is lost, and another key is given",
    "pseudonym.check",
    REFUSED,
    "pseudonym.check is gone, so nobody can tell whether … Restore it from a backup",
    until=LAND,
    code=3,
)
def lost_proof(site: Site) -> None:
    (site.home.root / "pseudonym.check").unlink()
    site.patch.setenv("ARVO_PSEUDONYM_KEY", KEY)


@CHAPTER.fault(
    "a damaged report of an earlier refresh",
    "reports/",
    ACCEPTED,
    "it is left out of the history; the refresh runs",
)
def damaged_report(site: Site) -> None:
    [report] = site.home.reports.glob("*/report.json")
    report.write_text(report.read_text()[:50])
