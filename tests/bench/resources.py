"""Refreshes that lack room, memory or open files: python -m tests.bench.resources.

Run by hand, whole or in parts (disk, memory, files); `tests/refresh/test_resources.py` does
without dbt what needs no privileges, and the clock. Each refresh is the command itself with its
dbt, forked from a process that has loaded its modules. One that lacks something must end well, or
fail with a paragraph that says what and what to do and leave what is published as it was; the
next one, that lacks nothing, must end in the marts of a publisher that never lacked anything.
Exits with 1 when that is not so.

disk:   a file system of its own (tmpfs, where this user may mount one; else every file is held
        to a size) filled until so many bytes are left, from nothing to all a refresh needs
memory: the demo under ARVO_MEMORY_LIMIT; what each process of the refresh had at most
files:  a home of so many batches under a limit of open files
"""

import argparse
import contextlib
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from orchestration import cli, reports, settings, versions
from orchestration.settings import Home
from tests.bench import crashes
from tests.refresh.small import Small, page_view

MEGABYTE = 1 << 20
DISK_MEGABYTES = 96
# Room left on the disk, in kilobytes: a refresh of the small publisher needs some megabytes.
ROOMS = (0, 64, 1024, 2048, 4096, 6144, 8192, 16384)
SIZES = (0, 4, 16, 64, 256, 512, 1024, 4096)
BATCHES = 120


def main() -> int:
    """Runs what was asked for; 1 when something was lost or not explained."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="*", default=["disk", "memory", "files"])
    parser.add_argument("--scale", type=float, default=1, help="of the demo, for memory")
    parser.add_argument("--limits", nargs="*", default=["2GB", "300MB", "100MB", "30MB"])
    parser.add_argument("--rooms", nargs="*", type=int, default=ROOMS, help="kilobytes left")
    parser.add_argument("--folder", type=Path, help="where to work (default: a temporary one)")
    asked = parser.parse_args()
    crashes.warm_up()
    folder = Path(tempfile.mkdtemp(dir=asked.folder))
    wrong: list[str] = []
    try:
        if "disk" in asked.what:
            wrong += disk(folder, asked.rooms)
        if "memory" in asked.what:
            wrong += memory(folder, asked.scale, asked.limits)
        if "files" in asked.what:
            wrong += files(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print("\n".join(["", *wrong]) if wrong else "\nnothing lost, everything explained")
    return 1 if wrong else 0


# Disk


def disk(folder: Path, rooms: Sequence[int]) -> list[str]:
    """Refreshes with less and less room; what went wrong."""
    deliveries = crashes.deliveries(random.Random(1), 2)  # noqa: S311
    wrong = []
    with small_disk(folder / "disk") as is_mounted:
        kind = f"tmpfs of {DISK_MEGABYTES} MB" if is_mounted else "no disk of its own: file sizes"
        print(f"disk: {kind}", flush=True)
        pristine = Small(folder / "disk" / "pristine", crashes.FEEDS)
        for delivery in deliveries[:1]:
            crashes.deliver(pristine, delivery)
            assert run(pristine, lambda: None)[0] == 0
        crashes.deliver(pristine, deliveries[1])
        undisturbed = pristine.copied(folder / "undisturbed")
        assert run(undisturbed, lambda: None)[0] == 0
        due = crashes.state(undisturbed)
        for kilobytes in rooms if is_mounted else SIZES:
            small = pristine.copied(folder / "disk" / "scene")
            if is_mounted:
                told = in_need(small, filled(folder / "disk", kilobytes), lambda: None, due)
            else:
                need = partial(limit, resource.RLIMIT_FSIZE, kilobytes << 10)
                told = in_need(small, contextlib.nullcontext(), need, due)
            wrong += report(f"{kilobytes:6} kB", told)
            shutil.rmtree(small.folder)
    return wrong


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[bool]:
    """A small file system on a folder, if this user may mount one."""
    folder.mkdir()
    size = f"size={DISK_MEGABYTES}m"
    mount = ["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(folder)]
    mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", str(folder)], check=False)


@contextlib.contextmanager
def filled(folder: Path, kilobytes: int) -> Iterator[None]:
    """A disk with so much room left."""
    ballast = folder / "ballast"
    with ballast.open("wb") as stream:
        with contextlib.suppress(OSError):
            while True:
                stream.write(bytes(64 << 10))
                stream.flush()
        with contextlib.suppress(OSError):
            stream.truncate(max(ballast.stat().st_size - (kilobytes << 10), 0))
    try:
        yield
    finally:
        ballast.unlink()


# Memory


def memory(folder: Path, scale: float, limits: list[str]) -> list[str]:
    """The demo under limits of memory; what went wrong."""
    from orchestration.demo import make_demo

    print(f"memory: the demo at scale {scale}", flush=True)
    make_demo(folder / "demo" / "source", scale=scale)
    demo = settings.project_root() / "publishers" / "demo" / "publisher.yml"
    wrong = []
    due: list[Any] = []
    for named in limits:
        home = Home(folder / "demo")
        log = folder / "log"
        began = time.monotonic()
        environment = {"ARVO_HOME": str(home.root), "ARVO_MEMORY_LIMIT": named}
        process = subprocess.Popen(
            [sys.executable, "-m", "orchestration.cli", "refresh", "--publisher", str(demo)],
            cwd=settings.project_root(),
            env={**os.environ, **environment, "ARVO_PSEUDONYM_KEY": crashes.KEY},
            stdout=log.open("w"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        peak = watched(process)
        text = " ".join(log.read_text().split())
        print(
            f"  {named:6} exit code {process.returncode} after {time.monotonic() - began:.0f} s; "
            f"at most resident: {', '.join(f'{k} {v / 1e9:.2f} GB' for k, v in peak.items())}; "
            f"{text[-300:] if process.returncode else ''}",
            flush=True,
        )
        if process.returncode not in (0, 3):
            wrong.append(f"memory {named}: exit code {process.returncode}: {text[-600:]}")
        if process.returncode == 0:
            marts = crashes.in_a_child(partial(crashes._contents, home))
            due = due or marts
            if marts != due:
                wrong.append(f"memory {named}: other marts than with {limits[0]}")
        elif (home.published / versions.LINK).exists():
            wrong.append(f"memory {named}: failed, and published")
        for name in ("landing", "quarantine", "build", "published", "reports", "dagster"):
            shutil.rmtree(home.root / name, ignore_errors=True)
    return wrong


def watched(process: "subprocess.Popen[bytes]") -> dict[str, int]:
    """The most resident memory of each kind of process of a group, until its leader ends."""
    peak: dict[str, int] = {}
    deadline = time.monotonic() + 1800
    while process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.2)
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError, IndexError, ValueError):
                if os.getpgid(int(folder.name)) != process.pid:
                    continue
                command = (folder / "cmdline").read_text()
                resident = [
                    int(line.split()[1]) << 10
                    for line in (folder / "status").read_text().splitlines()
                    if line.startswith("VmHWM")
                ][0]
                kind = "dbt" if "dbt\0build" in command else "arvo"
                kind = "gate" if "spawn_main" in command else kind
                peak[kind] = max(peak.get(kind, 0), resident)
    return peak


# Open files


def files(folder: Path) -> list[str]:
    """A home of many batches under limits of open files; what went wrong."""
    small = Small(folder / "files", ["events"])
    for number in range(BATCHES):
        day = f"2024-03-{1 + number % 28:02}"
        small.add("events", page_view(f"e{number}", f"v{number % 7}", f"{day}T10:00:00Z"))
    undisturbed = small.copied(folder / "undisturbed-files")
    code, text, _ = run(undisturbed, lambda: None)
    assert code == 0, text
    due = crashes.state(undisturbed)
    print(f"files: {BATCHES} batches", flush=True)
    wrong = []
    for count in (1024, 256, 64):
        scene = small.copied(folder / "scene-files")
        need = partial(limit, resource.RLIMIT_NOFILE, count)
        told = in_need(scene, contextlib.nullcontext(), need, due)
        wrong += report(f"{count:5} open files", told)
        shutil.rmtree(scene.folder)
    return wrong


# A refresh in need


def in_need(
    small: Small,
    need: "contextlib.AbstractContextManager[None]",
    limited: Callable[[], None],
    due: crashes.State,
) -> dict[str, Any]:
    """A refresh in need, and one without after it."""
    before = published(small)
    with need:
        code, text, step = run(small, limited)
    wrong = []
    # A check that could not be judged refuses: that is code 1.
    if code not in (0, 1, 3):
        wrong.append(f"exit code {code}")
    if code and published(small) != before and "is published" not in text:
        wrong.append("what is published changed")
    again, said, _ = run(small, lambda: None)
    if again:
        wrong.append(f"the next refresh ended with {again}: {said[-500:]}")
    else:
        found = crashes.state(small)
        wrong += crashes.differences(found, due)
        wrong += crashes.leftovers(found, due, kills=1)
    return {"code": code, "step": step, "text": text, "wrong": wrong}


def report(what: str, told: dict[str, Any]) -> list[str]:
    """Prints how a refresh in need ended; what went wrong."""
    message = told["text"][-330:] if told["code"] else ""
    print(f"  {what}: exit code {told['code']}, {told['step']}: {message}", flush=True)
    for each in told["wrong"]:
        print(f"    WRONG: {each}", flush=True)
    return [f"{what}: {each}" for each in told["wrong"]]


def run(small: Small, need: Callable[[], None]) -> tuple[int, str, str]:
    """The command in a child that is limited first: exit code, what it said, its last step."""
    log = small.folder.with_name(f"{small.folder.name}.log") if not full(small) else None
    log = log or Path(tempfile.gettempdir()) / f"arvo-{os.getpid()}.log"

    def limited() -> int:
        need()
        return cli.main(crashes.arguments(small))

    code = crashes.ended(crashes.forked(limited, small, log), crashes.LONGEST_SECONDS)
    text = " ".join(log.read_text().split())
    told = reports.read_all(small.home)
    steps = list(told[-1]["steps"]) if told else []
    step = steps[-1] if steps else "before the first step"
    log.unlink()
    return (70 if code is None else code), text, step


def full(small: Small) -> bool:
    """Whether a log in the publisher's folder would lack room itself."""
    return (small.folder.parent / "ballast").exists()


def limit(kind: int, value: int) -> None:
    """Limits this process and those it starts."""
    resource.setrlimit(kind, (value, resource.getrlimit(kind)[1]))


def published(small: Small) -> dict[str, str]:
    """What readers find: the versions there are, and which of them the link leads to."""
    if not (small.home.published / versions.LINK).exists():
        return {}
    found = {
        version.path.name: crashes._digest([(version.path.read_bytes(),)])
        for version in versions.versions(small.home.published)
    }
    return {**found, "current": versions.current(small.home.published).path.name}


if __name__ == "__main__":
    sys.exit(main())
