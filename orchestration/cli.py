"""The command `arvo`: reads what was asked, calls what does it, prints what came of it.

Holds arguments, words and exit codes only. 0: done (published, or nothing new); 1: refused by
landing, the models' tests or the gate; 2: bad configuration or usage; 3: a source or the system
failed.
"""

import argparse
import datetime as dt
import json
import shutil
import sys
import textwrap
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from orchestration import publisher, settings
from orchestration.errors import ArvoError, ConfigurationError, SystemFailure
from orchestration.publisher import Publisher
from orchestration.settings import Home

OK = 0
SQL_FORMATS = ("table", "csv", "json", "parquet")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code; errors are one paragraph on stderr."""
    asked = _parser().parse_args(arguments)
    try:
        return int(asked.command(asked))
    except ArvoError as error:
        if getattr(asked, "json", False):
            print(json.dumps({"error": str(error), "exit_code": error.exit_code}))
        else:
            _complain(str(error))
        return error.exit_code
    except BrokenPipeError:
        # The reader of our output (head, less) has had enough.
        sys.stderr.close()
        return OK
    except KeyboardInterrupt:
        _complain("stopped. What was published before stays as it is; run it again at any time.")
        return 130
    except Exception as error:
        # A defect, or a system that gave out: never the exit code of a refusal.
        traceback.print_exc()
        _complain(
            f"arvo failed unexpectedly ({type(error).__name__}: {error}). What was published "
            "before stays as it is. If this names a disk or a limit, make room or raise it; else "
            "please report it with the lines above."
        )
        return SystemFailure.exit_code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="arvo", description="Customer-value marts for publishers: refreshed, gated, published."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(
        name: str, does: Callable[[argparse.Namespace], int], told: str
    ) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=told, description=told)
        added.add_argument(
            "--home", type=Path, help="the home (default: ARVO_HOME, var/<publisher>)"
        )
        added.add_argument("--publisher", type=Path, help="publisher.yml (default: the demo's)")
        added.set_defaults(command=does)
        return added

    demo = command("demo", _demo, "make the demo publisher's data and refresh it")
    demo.add_argument("--scale", type=float, default=1.0, help="times the default volume")
    demo.add_argument("--seed", type=int, default=1, help="another seed makes another half year")
    demo.add_argument(
        "--world", choices=("activity", "intent"), default="activity", help="what makes readers buy"
    )
    demo.add_argument("--json", action="store_true", help="print the result as JSON")
    refresh = command("refresh", _refresh, "land, model, gate and publish what is new")
    refresh.add_argument("--as-of", type=_day, help="last day the marts look at, as 2026-06-30")
    refresh.add_argument("--full", action="store_true", help="rebuild everything from landing")
    refresh.add_argument(
        "--accept-change",
        metavar="WHY",
        default="",
        help="publish although it differs much from the past; the reason is recorded",
    )
    refresh.add_argument("--json", action="store_true", help="print the result as JSON")
    status = command("status", _status, "what is published, and how the last refreshes ended")
    status.add_argument("--batches", action="store_true", help="list the landed batches")
    status.add_argument("--json", action="store_true", help="print it as JSON")
    sql = command("sql", _sql, "query the published marts, read-only")
    sql.add_argument("query", help="one select statement")
    sql.add_argument("--format", choices=SQL_FORMATS, default="table")
    sql.add_argument("--output", type=Path, help="write to this file")
    rollback = command("rollback", _rollback, "return to an earlier version at once")
    rollback.add_argument("refresh", nargs="?", help="its refresh id (default: the one before)")
    rollback.add_argument("--json", action="store_true", help="print the result as JSON")
    check = command("check", _check, "hold the configuration against its sources; writes nothing")
    check.add_argument("--json", action="store_true", help="print it as JSON")
    pseudonym = command("pseudonym", _pseudonym, "what a raw identifier became")
    pseudonym.add_argument("identifier", nargs="+", help="raw account or visitor ids")
    pseudonym.add_argument("--json", action="store_true", help="print it as JSON")
    discard = command("discard", _discard, "take a landed batch out; the next refresh rebuilds")
    discard.add_argument("batch", help="its id, or how it starts (arvo status --batches)")
    ui = command("ui", _ui, "open Dagster's page for this publisher")
    ui.add_argument("--host", default="127.0.0.1")
    ui.add_argument("--port", type=int, default=3000)
    return parser


def _demo(asked: argparse.Namespace) -> int:
    from orchestration.demo import make_demo
    from orchestration.demo.worlds import WORLDS

    if asked.publisher:
        raise ConfigurationError("arvo demo has a publisher of its own; leave --publisher out.")
    home = Home(_home_argument(asked) or settings.home_path(settings.DEFAULT_PUBLISHER))
    began = time.monotonic()
    with _progress(asked.json) as say:
        say(f"demo     making half a year of an invented publisher in {home.root / 'source'}")
        truths = make_demo(
            home.root / "source",
            seed=asked.seed,
            scale=asked.scale,
            world=WORLDS[asked.world],
            progress=None,
        )
        say(f"demo     made in {time.monotonic() - began:.0f} s; planted truths are in {truths}")
    settings.export({"ARVO_HOME": str(home.root)})
    asked.as_of, asked.full, asked.accept_change = None, False, ""
    code = _refresh(asked)
    if code == OK and not asked.json:
        print(_next_steps(home))
    return code


def _refresh(asked: argparse.Namespace) -> int:
    home, stated = _home_and_publisher(asked)
    from orchestration import running
    from orchestration.reports import NOTHING_NEW, PUBLISHED, refresh_row

    began = time.monotonic()
    with _progress(asked.json) as say:
        run = running.refresh(
            home,
            stated,
            as_of=asked.as_of,
            is_full=asked.full,
            accepted=asked.accept_change,
            say=say,
        )
    if asked.json:
        row = refresh_row(run)
        print(json.dumps(row | {"steps": run.steps, "home": str(home.root)}, default=str))
    elif run.verdict in (PUBLISHED, NOTHING_NEW):
        seconds = time.monotonic() - began
        day = run.as_of_day
        print(f"{run.verdict} as of {day} in {seconds:.0f} s: {home.published / 'marts.duckdb'}")
    if run.error is None:
        return OK
    if not asked.json:
        _complain(str(run.error))
        _complain(f"report: {run.folder / 'index.html'}")
    return run.error.exit_code


def _status(asked: argparse.Namespace) -> int:
    from orchestration import status

    home = _home(asked)
    if asked.batches:
        return _batches(home, asked.json)
    standing = status.look(home)
    if asked.json:
        print(json.dumps(status.as_json(standing), indent=1, default=str))
    else:
        print(status.as_text(standing))
    return OK


def _batches(home: Home, is_json: bool) -> int:
    from orchestration import batches
    from orchestration.contracts import contracts

    found = [m for feed in contracts() for m in batches.committed(home, feed)]
    if is_json:
        print(json.dumps([json.loads(m.to_json()) for m in found], indent=1))
        return OK
    for m in found:
        print(f"{m.batch_id}  {m.feed:15} {m.landed_count:>10,} rows  {m.source_path}")
    if not found:
        print(f"No batch has landed in {home.root} yet.")
    return OK


def _sql(asked: argparse.Namespace) -> int:
    from orchestration import reading

    reading.deliver(_home(asked).published, asked.query, asked.format, asked.output)
    return OK


def _rollback(asked: argparse.Namespace) -> int:
    from orchestration import versions

    version = versions.roll_back(_home(asked).published, asked.refresh)
    if asked.json:
        print(json.dumps({"refresh_id": version.refresh_id, "file": str(version.path)}))
    else:
        print(
            f"now published: refresh {version.refresh_id} ({version.path.name}). The way forward "
            "again: arvo rollback with the newer refresh's id, or the next refresh with new data."
        )
    return OK


def _check(asked: argparse.Namespace) -> int:
    from orchestration import checking

    path = _publisher_path(asked)
    _export_home(asked)
    report = checking.check(path)
    if asked.json:
        print(json.dumps(checking.plain(report), indent=1, default=str))
    else:
        for line in checking.lines(report):
            print(line)
    for problem in [] if asked.json else report.problems:
        _complain(problem)
    if report.problems and not asked.json:
        count = len(report.problems)
        print(f"{count} problem{'s' if count != 1 else ''} in {path}; nothing was written.")
    elif not asked.json:
        print(f"{path}: no problem found; nothing was written.")
    return ConfigurationError.exit_code if report.problems else OK


def _pseudonym(asked: argparse.Namespace) -> int:
    from orchestration import pseudonyms

    home = _home(asked)
    secret = pseudonyms.existing_key(home)
    rows = [
        {"identifier": raw, "kind": kind, "pseudonym": pseudonyms.pseudonym(secret, kind, raw)}
        for raw in asked.identifier
        for kind in pseudonyms.KINDS
    ]
    if asked.json:
        print(json.dumps(rows, indent=1))
    else:
        for row in rows:
            print(f"{row['identifier']}  as {row['kind']:7}  {row['pseudonym']}")
    return OK


def _discard(asked: argparse.Namespace) -> int:
    from orchestration import archives, batches, homes

    home = _home(asked)
    with homes.lock(home, "arvo discard"):
        manifest = batches.find(home, asked.batch)
        archives.discard(home, manifest)
    print(
        f"discarded batch {manifest.batch_id} of {manifest.feed} ({manifest.source_path}); it is "
        f"kept in {home.discarded}. The next refresh builds without it."
    )
    return OK


def _ui(asked: argparse.Namespace) -> int:
    from orchestration import running

    home, stated = _home_and_publisher(asked)
    print(f"Dagster's page: http://{asked.host}:{asked.port} (stop it with Ctrl-C)", flush=True)
    running.serve(home, stated, asked.host, asked.port)
    return OK


def _publisher_path(asked: argparse.Namespace) -> Path:
    return asked.publisher.expanduser().resolve() if asked.publisher else settings.publisher_path()


def _home_argument(asked: argparse.Namespace) -> Path | None:
    return asked.home.expanduser().resolve() if asked.home else None


def _export_home(asked: argparse.Namespace) -> None:
    named = _home_argument(asked)
    if named:
        settings.export({"ARVO_HOME": str(named)})


def _home_and_publisher(asked: argparse.Namespace) -> tuple[Home, Publisher]:
    _export_home(asked)
    stated = publisher.load(_publisher_path(asked))
    return Home(settings.home_path(stated.name)), stated


def _home(asked: argparse.Namespace) -> Home:
    """The home alone, for commands that need nothing of the configuration but its name."""
    named = _home_argument(asked)
    if named:
        return Home(named)
    return Home(settings.home_path(publisher.name_of(_publisher_path(asked))))


@contextmanager
def _progress(is_quiet: bool) -> Iterator[Callable[[str], None]]:
    """Shows lines as they come; on a terminal, with what is under way and for how long."""
    if is_quiet:
        yield lambda line: None
    elif not sys.stdout.isatty():
        yield lambda line: print(line, flush=True)
    else:
        from rich.console import Console
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        console = Console(highlight=False)
        columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        with Progress(*columns, console=console, transient=True, redirect_stdout=False) as shown:
            task = shown.add_task("refreshing")

            def say(line: str) -> None:
                console.print(line, markup=False)
                shown.update(task, description=f"after {line.split(' ', 1)[0]} …")

            yield say


def _complain(text: str) -> None:
    width = min(shutil.get_terminal_size((100, 24)).columns, 100)
    paragraphs = [
        textwrap.fill(part, width, break_long_words=False, break_on_hyphens=False)
        for part in text.split("\n\n")
    ]
    print("\n\n".join(paragraphs), file=sys.stderr)


def _next_steps(home: Home) -> str:
    named = "" if home.root == settings.project_root() / "var" / "demo" else f" --home {home.root}"
    return (
        f'try: .venv/bin/arvo sql{named} "select segment, count(*) as customers from customers '
        'group by segment order by customers desc"'
    )


def _day(text: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no day such as 2026-06-30") from error


if __name__ == "__main__":
    sys.exit(main())
