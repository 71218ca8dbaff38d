"""The gate in a process of its own, so that what it imports is loaded while sources are read.

Importing Great Expectations takes as long as the rest of a small refresh; beside it, on another
core, it takes nothing. What is judged, and by what, is refresh.py's and quality/'s.
"""

import multiprocessing
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess

from orchestration.errors import SystemFailure
from orchestration.settings import Home
from quality.gate import Verdict

Judge = Callable[[Home], Verdict]
# It may still be loading what it will not need.
SECONDS_TO_END = 10
# A gate that waits for ever must not keep the home locked for ever.
SECONDS_TO_JUDGE = 3600


class Examiner:
    """A process that judges what it is told to, one thing after the other.

    It ends with the process that started it, however that one ends: its end of the pipe is then
    the only one.
    """

    def __init__(self) -> None:
        """Starts nothing yet."""
        self._started: tuple[SpawnProcess, Connection] | None = None
        self._owes_answer = False

    def start(self) -> None:
        """Starts the process, which loads the gate and waits; does nothing when it runs."""
        self._running()

    def judge(self, judge: Judge, home: Home) -> Verdict:
        """What `judge` says of the home.

        Args:
            judge: A function of a module; it opens what it needs.
            home: Where everything lies; nobody may hold its databases for writing meanwhile.

        Raises:
            SystemFailure: The process ended before it had judged, or judged for too long.
        """
        process, pipe = self._running()
        self._owes_answer = True
        try:
            pipe.send((judge, home))
            if not pipe.poll(SECONDS_TO_JUDGE):
                process.kill()
                raise SystemFailure(
                    f"the gate had not judged after {SECONDS_TO_JUDGE // 60} minutes, so it was "
                    "ended. Nothing was published. Refresh again; should it happen again, please "
                    "report it with the last lines of this output."
                )
            answer: Verdict | Exception = pipe.recv()
            self._owes_answer = False
        except (EOFError, OSError) as error:
            process.join()
            raise SystemFailure(
                "the process that judges the refresh ended before it had judged (exit code "
                f"{process.exitcode}; -9 is often a lack of memory). Nothing was published. "
                "Give the machine more memory or lower ARVO_MEMORY_LIMIT, and refresh again."
            ) from error
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self) -> None:
        """Ends the process, if it runs."""
        if self._started is None:
            return
        process, pipe = self._started
        pipe.close()
        if not self._owes_answer:
            process.join(SECONDS_TO_END)
        # Whoever was interrupted while he waited for an answer will not hear it. Killed, as it may
        # have inherited that SIGTERM is ignored: Dagster does so where interrupts are, as for
        # whatever a shell script starts in the background.
        process.kill()
        process.join()
        self._started = None

    def _running(self) -> tuple[SpawnProcess, Connection]:
        if self._started is None:
            # Spawned, not forked: a fork would inherit Dagster's threads and DuckDB's.
            context = multiprocessing.get_context("spawn")
            ours, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(theirs,), daemon=True)
            process.start()
            theirs.close()
            self._started = (process, ours)
        return self._started


def _serve(pipe: Connection) -> None:
    # An interrupt is the refresh's to handle; a traceback of ours would only add to it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    import great_expectations.expectations  # noqa: F401

    while True:
        try:
            judge, home = pipe.recv()
        except EOFError:
            return
        try:
            answer: Verdict | Exception = judge(home)
        except Exception as error:  # the refresh's to report
            answer = error
        pipe.send(answer)
