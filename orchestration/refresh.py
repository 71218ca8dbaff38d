"""One refresh and its steps in order.

Holds what happens in a refresh, free of Dagster (assets.py gives each step its place in the
graph) and free of printing (the command line does that). What the steps do lies in
landing.py, warehouse.py, quality/ and versions.py; its lock in homes.py, its report in
reports.py.
"""

import datetime as dt
import re
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from orchestration import (
    archives,
    batches,
    homes,
    idle,
    landing,
    models,
    pseudonyms,
    reports,
    settings,
    versions,
    warehouse,
)
from orchestration.batches import Manifest
from orchestration.errors import ArvoError, ConfigurationError, RefusedError, SystemFailure
from orchestration.examiner import Judge
from orchestration.idle import Found
from orchestration.landing import Landed
from orchestration.publisher import Publisher
from orchestration.reports import FAILED, NOTHING_NEW, PUBLISHED, REFUSED, REPORT, RUNNING
from orchestration.settings import Home
from orchestration.sources.files import literal
from orchestration.versions import Version
from orchestration.warehouse import Inputs, Plan
from quality.gate import CheckResult, Verdict

ID_SECOND = "%Y%m%dT%H%M%SZ"
ID = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{4}")
# How DuckDB says that it could not write: outside a transaction, in its commit, after it.
FULL_DISK = duckdb.IOException | duckdb.TransactionException | duckdb.FatalException
# A check that broke for want of these says nothing about the data.
LACK_OF_ROOM = re.compile("too many open files|no space left|out of memory|cannot allocate", re.I)
MAKE_ROOM = (
    "Make room on the disk or in memory, raise the limit (`ulimit -n` for open files, "
    "ARVO_MEMORY_LIMIT for memory) or give this user the right, whichever the message names, and "
    "refresh again."
)


def directly(judge: Judge, home: Home) -> Verdict:
    """Judges in this process; `examiner.Examiner.judge` does it in another."""
    return judge(home)


@dataclass
class Refresh:
    """A refresh under way.

    Attributes:
        home: Where everything lies.
        publisher: What is refreshed.
        refresh_id: Names the refresh; sorts by its start.
        started_at: When it began (UTC, no zone).
        as_of: As-of day asked for, or None for the rule of `warehouse.inputs`.
        is_full: Whether to rebuild everything.
        accepted: Why what compares badly with the past is taken for true, or empty.
        say: Called with one line for each thing a user wants to see happen.
        judge: Calls a judging function, in this process or in another.
        found: The files of each feed when it began.
        settled: As-of day of what is published, where all that is looked at is known to be in it
            (idle.py); else None.
        verdict: How it stands.
        reason: Why it was refused or failed, in a paragraph.
        error: The exception behind the reason.
        failed_step: The step it came from; a later success of that step takes it back.
    """

    home: Home
    publisher: Publisher
    refresh_id: str
    started_at: dt.datetime
    as_of: dt.date | None
    is_full: bool
    say: Callable[[str], None]
    accepted: str = ""
    judge: Callable[[Judge, Home], Verdict] = directly
    found: Found = field(default_factory=dict)
    settled: dt.date | None = None
    verdict: str = RUNNING
    reason: str = ""
    error: ArvoError | None = None
    failed_step: str | None = None
    landed: dict[str, Landed] = field(default_factory=dict)
    verdicts: list[Verdict] = field(default_factory=list)
    steps: dict[str, float] = field(default_factory=dict)
    wanted: Inputs | None = None
    planned: Plan | None = None
    version: Version | None = None

    @property
    def folder(self) -> Path:
        """Where its report and data docs lie."""
        return self.home.reports / self.refresh_id

    @property
    def as_of_day(self) -> dt.date | None:
        """Last local day the marts look at; None while it is not known."""
        return self.wanted.as_of_day if self.wanted else self.settled

    @property
    def new_batches(self) -> list[Manifest]:
        """Batches it landed."""
        return [m for landed in self.landed.values() for m in landed.new]

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Times a step and keeps why it went wrong, for the report and the exit code."""
        began = time.monotonic()
        try:
            yield
            self._recover(name)
        except ArvoError as error:
            self.fail(error, name)
            raise
        except Exception as error:
            self.fail(failure(f"{name} failed in {self.home.root}", error), name)
            raise
        finally:
            self.steps[name] = round(time.monotonic() - began, 3)

    def fail(self, error: ArvoError, step: str | None = None) -> None:
        """Notes the first error; later ones follow from it."""
        if self.error is None:
            self.error, self.failed_step = error, step
            self.reason = str(error)
            self.verdict = REFUSED if isinstance(error, RefusedError) else FAILED

    def _recover(self, step: str) -> None:
        """A source that was away and came back at a retry has not failed the refresh."""
        if self.error is not None and self.failed_step == step:
            self.error = self.failed_step = None
            self.reason, self.verdict = "", RUNNING


@contextmanager
def opened(
    home: Home,
    publisher: Publisher,
    *,
    as_of: dt.date | None = None,
    is_full: bool = False,
    accepted: str = "",
    say: Callable[[str], None] = lambda line: None,
    judge: Callable[[Judge, Home], Verdict] = directly,
    refresh_id: str | None = None,
    found: Found | None = None,
    settled: Callable[[], dt.date | None] = lambda: None,
) -> Iterator[Refresh]:
    """A refresh that holds the home's lock; its report is written whatever happens.

    `found` are its files, if they have been looked at; `settled` is asked once the lock is held.

    Raises:
        SystemFailure: Another refresh holds the lock, or the home cannot be written.
        ConfigurationError: The home belongs to another publisher.
    """
    homes.prepare(home, publisher)
    started_at = settings.utc_now()
    name = refresh_id or new_id(started_at, _newest_id(home))
    run = Refresh(home, publisher, name, started_at, as_of, is_full, say, accepted, judge)
    run.found = idle.sources(publisher) if found is None else found
    with homes.lock(home, run.refresh_id):
        if not accepted:
            _refuse_clock_set_back(home, started_at)
        run.settled = settled()
        _clear_killed(home, is_settled=run.settled is not None)
        try:
            reports.write(run)
        except OSError as error:
            raise homes.unwritable(home, error) from error
        try:
            with run.step("check"):
                if run.settled is None:
                    _refuse_misfits(run)
            yield run
        finally:
            if run.verdict == RUNNING:
                run.fail(SystemFailure("the refresh ended before it had published anything."))
            with _reported(run):
                reports.leave(run)


@contextmanager
def _reported(run: Refresh) -> Iterator[None]:
    """Explains a report that cannot be written; what is published stays published."""
    try:
        yield
    except OSError as error:
        out = f"refresh {run.refresh_id} is published, but its" if run.version else "the"
        raise SystemFailure(
            f"{out} report in {run.folder} cannot be written ({error.strerror or error}). Make "
            "room or give this user the right; the next refresh makes up for it."
        ) from error


def _clear_killed(home: Home, *, is_settled: bool = False) -> None:
    """Removes what a killed refresh left behind, and ends its report: the lock is ours now."""
    if is_settled:
        batches.clean_half_written(home)
    else:
        batches.clean(home)
    shutil.rmtree(home.build / "scratch", ignore_errors=True)
    for spilled in home.build.glob("*spill"):
        shutil.rmtree(spilled, ignore_errors=True)
    for folder in home.reports.iterdir():
        for half_written in folder.glob(".*"):
            half_written.unlink(missing_ok=True)
        if not (folder / REPORT).exists():
            shutil.rmtree(folder, ignore_errors=True)
    reports.close_killed(home)


def _refuse_clock_set_back(home: Home, now: dt.datetime) -> None:
    """Refuses a clock behind the last refresh: true rows would count as of the future.

    Raises:
        SystemFailure: The last refresh ended later than now.
    """
    last = reports.read_all(home)[-1:]
    for report in last:
        ended = dt.datetime.fromisoformat(report["finished_at"])
        if now < ended - landing.CLOCK_TOLERANCE:
            raise SystemFailure(
                f"the clock says {now:%Y-%m-%d %H:%M} UTC, but refresh {report['refresh_id']} in "
                f"{home.root} ended at {ended:%Y-%m-%d %H:%M}: rows that came since would count "
                "as lying in the future. Set the clock right and refresh again. If it was wrong "
                'then and is right now: `arvo refresh --accept-change "why"`, once.'
            )


def failure(what: str, error: Exception) -> SystemFailure:
    """An error nobody foresaw, with what usually helps against its kind."""
    told = " ".join(f"{type(error).__name__}: {error}".split()).rstrip(".")
    remedy = "Please report it with this message."
    if isinstance(error, duckdb.OutOfMemoryException | MemoryError):
        remedy = (
            "Give it more memory with ARVO_MEMORY_LIMIT, or fewer threads with ARVO_THREADS, and "
            "refresh again."
        )
    elif isinstance(error, duckdb.Error) and "lock on file" in told:
        remedy = (
            "What the process named there does may be the end of a refresh that was killed: wait "
            "for it or end it, and refresh again."
        )
    elif isinstance(error, OSError | FULL_DISK):
        remedy = MAKE_ROOM
    return SystemFailure(f"{what}: {told}. What was published before stays as it is. {remedy}")


def _refuse_misfits(run: Refresh) -> None:
    """Holds every mapping that has never landed against its source, before anything runs.

    One that has landed before is landing's to judge: then it is the source that changed.
    """
    from orchestration import checking

    # In the home, where the next refresh clears what a killed one left.
    scratch = run.home.build / "scratch"
    scratch.mkdir(exist_ok=True, mode=0o700)
    problems: list[str] = []
    for feed, config in run.publisher.feeds.items():
        landed = batches.committed(run.home, feed)
        if not any(manifest.mapping == config.fingerprint for manifest in landed):
            problems += checking.problems(config, scratch)
    if problems:
        raise ConfigurationError("\n\n".join(problems))


def looks_new(home: Home, publisher: Publisher) -> bool:
    """Whether a file lies there that has not landed, as far as names, sizes and times tell.

    What cannot be read looks like nothing new: the refresh will say what is wrong.
    """
    with suppress(ArvoError, OSError):
        return _holds_new_files(home, publisher, idle.sources(publisher))
    return False


def _holds_new_files(home: Home, publisher: Publisher, found: Found) -> bool:
    for feed, config in publisher.feeds.items():
        landed = {
            (m.source_path, m.source_size, m.source_modified_ns)
            for m in batches.committed(home, feed)
            if m.mapping == config.fingerprint
        }
        if not landed.issuperset(found[feed]):
            return True
    return False


def with_nothing_new(
    home: Home,
    publisher: Publisher,
    *,
    as_of: dt.date | None,
    say: Callable[[str], None],
) -> Refresh | None:
    """The whole of a refresh that finds nothing new; None where there is, or may be, work.

    It needs neither Dagster nor dbt, which take seconds to load and to note that nothing happened.

    Raises:
        SystemFailure: Another refresh holds the lock, or the clock was set back.
    """
    try:
        if reports.last_published_key(home) is None:
            return None
        found = idle.sources(publisher)

        def settled() -> dt.date | None:
            return idle.noted(home, idle.digest(home, publisher, as_of, found))

        if settled() is None and _holds_new_files(home, publisher, found):
            return None
        told = [landed_line(Landed(feed, (), 0)) for feed in publisher.feeds]
        with opened(
            home, publisher, as_of=as_of, say=told.append, found=found, settled=settled
        ) as run:
            is_idle = not has_work(run)
            if is_idle and run.settled is None:
                _settle(run)
            # What did nothing leaves no report.
            run.verdict = NOTHING_NEW
    except (ConfigurationError, OSError):
        return None
    if not is_idle:
        return None
    for line in told:
        say(line)
    return run


def new_id(started_at: dt.datetime, newest: str = "") -> str:
    """A name for a refresh that sorts by its start, to the 65,536th of a second.

    The lock lets no two begin so close together. When the clock was set back, the name is the
    one that comes right after the newest there is: names sort as refreshes followed each other.
    """
    tick = started_at.microsecond * 65_536 // 1_000_000
    name = f"{started_at:{ID_SECOND}}-{tick:04x}"
    if name > newest:
        return name
    second = dt.datetime.strptime(newest[:-5], ID_SECOND)  # noqa: DTZ007 - ids are in UTC
    carried, tick = divmod(int(newest[-4:], 16) + 1, 65_536)
    return f"{second + dt.timedelta(seconds=carried):{ID_SECOND}}-{tick:04x}"


def _newest_id(home: Home) -> str:
    """The refresh that sorts last among those with a report or a version; "" without any."""
    names = {version.refresh_id for version in versions.versions(home.published)}
    names |= {path.name for path in home.reports.iterdir()}
    return max(filter(ID.fullmatch, names), default="")


def land(run: Refresh, feed: str) -> Landed:
    """Lands the new files of one feed."""
    with run.step(f"land {feed}"):
        config = run.publisher.feeds[feed]
        landed = landing.land(run.home, config, pseudonyms.key(run.home), settings.utc_now())
        run.landed[feed] = landed
        run.say(landed_line(landed))
        return landed


def landed_line(landed: Landed) -> str:
    """What landing did for a feed, in words."""
    if not landed.new:
        return f"land     {landed.feed}: nothing new"
    rows = sum(m.landed_count for m in landed.new)
    bad = sum(m.quarantined_count for m in landed.new)
    files = f"{len(landed.new)} file{'s' if len(landed.new) != 1 else ''}"
    quarantined = f", {bad:,} quarantined" if bad else ""
    return f"land     {landed.feed}: {rows:,} rows from {files}{quarantined}"


def has_work(run: Refresh) -> bool:
    """Whether the inputs differ from what was last published; notes it when they do not."""
    with run.step("plan"):
        if run.settled is None and _differs(run):
            return True
        run.verdict = NOTHING_NEW
        run.say("plan     nothing new since the published version")
        return False


def _differs(run: Refresh) -> bool:
    _refuse_future(run)
    run.wanted = warehouse.inputs(run.home, run.publisher, run.as_of, settings.utc_now())
    if not any(run.wanted.manifests.values()):
        raise ConfigurationError(
            f"{run.publisher.path}: no feed has any file yet, so there is nothing to build. "
            "Check the patterns with `arvo check`."
        )
    return run.is_full or reports.last_published_key(run.home) != run.wanted.key


def _refuse_future(run: Refresh) -> None:
    today = warehouse.local_day(settings.utc_now(), run.publisher.time_zone)
    if run.as_of is not None and run.as_of > today:
        raise ConfigurationError(
            f"--as-of {run.as_of} has not come yet in {run.publisher.time_zone}, where it is "
            f"{today}: its marts would count days that nobody has lived. Name an earlier day."
        )


def prepare_models(run: Refresh) -> Plan:
    """Decides what to build and shows it to the models."""
    with run.step("prepare"), warehouse.connect(run.home) as connection:
        wanted = _wanted(run)
        run.planned = warehouse.plan(
            connection, run.home, run.publisher.currency, wanted, full=run.is_full
        )
        warehouse.begin(connection, wanted, run.planned)
        warehouse.expose(
            connection,
            run.home,
            run.publisher,
            wanted,
            run.planned,
            {"refresh_id": run.refresh_id, "started_at": run.started_at},
            reports.history(run.home),
            _serving(run.home),
            models.feeds_of_metrics(),
        )
        kind = "everything" if run.planned.is_full else "what changed"
        days = len(run.planned.pending_days)
        run.say(
            f"plan     build {kind}: {days:,} day{'s' if days != 1 else ''} as of "
            f"{wanted.as_of_day}"
        )
        return run.planned


def gate_in(run: Refresh) -> Verdict:
    """Judges the new batches against landing's suites.

    Raises:
        RefusedError: A critical check failed; the models are not built.
    """
    with run.step("gate in"):
        return _judged(run, run.judge(judge_landing, run.home))


def judge_landing(home: Home) -> Verdict:
    """What landing's suites say of the new batches."""
    from quality import gate
    from quality import landing as suites

    with warehouse.connect(home) as connection:
        return gate.judge("landing", suites.suites, connection, suites.ALWAYS_DUE)


def model_failed(run: Refresh, results: Sequence[CheckResult], message: str) -> None:
    """Notes that dbt failed: a test (refused), or the build itself or its room (failed)."""
    run.verdicts.append(Verdict("model", tuple(results), (message,)))
    if any(not result.is_passed and not _lacked_room(result) for result in results):
        run.fail(RefusedError(message))
    else:
        advice = f" {MAKE_ROOM}" if LACK_OF_ROOM.search(message) else ""
        run.fail(SystemFailure(message + advice))


def stamp(run: Refresh) -> None:
    """Notes that every model was built and every dbt test passed."""
    with warehouse.connect(run.home) as connection:
        warehouse.stamp(connection, _wanted(run))


def publish(run: Refresh) -> Version:
    """Gate and publish, in one step: no path publishes what the gate has not passed.

    Raises:
        RefusedError: The gate refused; the published marts are untouched.
    """
    with run.step("gate out"):
        if not warehouse.is_built(run.home, _wanted(run)):
            raise RefusedError(
                "the models of these inputs were not built completely with every test passed, "
                "so there is nothing to publish. Run the whole refresh: `arvo refresh`."
            )
        versions.write_candidate(run.home.warehouse, run.home.candidate)
        _judged(run, run.judge(judge_candidate, run.home))
    with run.step("publish"):
        # Of a refresh that is killed after the swap, this report tells what was published.
        with _reported(run):
            reports.write(run)
        run.verdict = PUBLISHED
        versions.append_operations(
            run.home.candidate, [reports.refresh_row(run)], reports.result_rows(run)
        )
        try:
            run.version = versions.commit(
                run.home.published,
                run.home.candidate,
                run.refresh_id,
                keep=run.publisher.keep_versions,
            )
        except BaseException:
            run.verdict = RUNNING
            raise
        run.say(f"publish  {run.version.path.name}")
    with run.step("archive"):
        is_whole = _archive(run)
    if is_whole:
        _settle(run)
    return run.version


def _settle(run: Refresh) -> None:
    """Spares the next refresh the lists of what landed, if all there is by now is published.

    A file may have come since the refresh began, and so may midnight, which can move the as-of
    day: the digest is taken first, so that a day that ends in between is not noted.
    """
    with suppress(ArvoError, OSError):
        seen = idle.digest(run.home, run.publisher, run.as_of, run.found)
        due = warehouse.inputs(run.home, run.publisher, run.as_of, settings.utc_now())
        is_published = due.key == reports.last_published_key(run.home)
        if is_published and not _holds_new_files(run.home, run.publisher, run.found):
            idle.note(run.home, seen, due.as_of_day)


def _archive(run: Refresh) -> bool:
    """Puts many small batches into one folder; what keeps it from doing so can wait.

    Returns:
        Whether nothing did.
    """
    is_whole = True
    for feed in run.publisher.feeds:
        try:
            if archives.archive_small(run.home, feed):
                run.say(f"archive  {feed}: its small batches share a folder now")
        except (ArvoError, OSError, duckdb.Error) as error:
            is_whole = False
            run.say(f"archive  {feed}: left for the next refresh ({error})")
    return is_whole


def judge_candidate(home: Home) -> Verdict:
    """What the marts' suites say of the candidate."""
    from quality import gate
    from quality import marts as suites

    with _candidate(home) as connection:
        return gate.judge("marts", suites.suites, connection, suites.suite_names())


@contextmanager
def _candidate(home: Home) -> Iterator[duckdb.DuckDBPyConnection]:
    """The very file that would be published, beside what it is held against."""
    beside = {"warehouse": home.warehouse}
    serving = _serving(home)
    if serving is not None:
        beside["last"] = serving
    with duckdb.connect(str(home.candidate)) as connection:
        for statement in warehouse.limits(home):
            connection.execute(statement)
        for name, path in beside.items():
            connection.execute(f"attach {literal(str(path))} as {name} (read_only)")
        yield connection


def _serving(home: Home) -> Path | None:
    """The version readers have; should the link lead nowhere, the one they had last."""
    published = versions.versions(home.published)
    serving = [version for version in published if version.is_current] or published
    return serving[-1].path if serving else None


def _judged(run: Refresh, verdict: Verdict) -> Verdict:
    if run.accepted:
        from quality import acceptance

        verdict = acceptance.accept(verdict, run.accepted)
    run.verdicts.append(verdict)
    failed = [r for r in verdict.results if not r.is_passed]
    warned = sum(1 for r in failed if r.severity == "warning")
    told = f"{len(verdict.results)} checks, {len(failed) - warned} refused, {warned} warned"
    run.say(f"gate     {verdict.stage}: {told}")
    for result in failed:
        if _lacked_room(result):
            error = str(result.error).rstrip(".")
            raise SystemFailure(
                f"the check {result.suite}/{result.check_name} could not be judged: {error}. "
                f"What was published before stays as it is. {MAKE_ROOM}"
            )
    if not verdict.is_passed:
        raise RefusedError(refusal(verdict))
    return verdict


def _lacked_room(result: CheckResult) -> bool:
    return bool(result.error and LACK_OF_ROOM.search(result.error))


def refusal(verdict: Verdict) -> str:
    """Why a gate refused, in a paragraph."""
    from quality import acceptance

    reasons = " ".join(f"({n}) {reason}" for n, reason in enumerate(verdict.refusals, 1))
    remedy = "`arvo status` lists every failed check."
    if acceptance.accept(verdict, "").is_passed:
        remedy += ' If the change is true all the same: `arvo refresh --accept-change "why"`.'
    return (
        f"the gate refused the {verdict.stage}: {reasons} What was published before stays as it "
        f"is. {remedy}"
    )


def _wanted(run: Refresh) -> Inputs:
    if run.wanted is None:
        run.wanted = warehouse.inputs(run.home, run.publisher, run.as_of, settings.utc_now())
    return run.wanted
