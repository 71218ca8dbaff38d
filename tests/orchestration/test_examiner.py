"""The gate in its own process: what it answers, and what becomes of a refresh when it does not."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from orchestration import examiner
from orchestration.errors import SystemFailure
from orchestration.examiner import Examiner
from orchestration.settings import Home
from quality.gate import Verdict


@pytest.fixture
def judging() -> Iterator[Examiner]:
    made = Examiner()
    with closing(made):
        yield made


def passes(home: Home) -> Verdict:
    return Verdict(str(home.root), (), ())


def sleeps(home: Home) -> Verdict:
    time.sleep(60)
    return passes(home)


def dies(home: Home) -> Verdict:
    os._exit(7)


def test_a_gate_that_does_not_answer_is_ended_and_another_answers(
    judging: Examiner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert judging.judge(passes, Home(tmp_path)).stage == str(tmp_path)
    monkeypatch.setattr(examiner, "SECONDS_TO_JUDGE", 1)
    with pytest.raises(SystemFailure, match="had not judged after"):
        judging.judge(sleeps, Home(tmp_path))


def test_a_gate_that_dies_publishes_nothing(judging: Examiner, tmp_path: Path) -> None:
    with pytest.raises(SystemFailure, match="ended before it had judged .exit code 7"):
        judging.judge(dies, Home(tmp_path))


@pytest.mark.parametrize("terminated", [signal.SIG_DFL, signal.SIG_IGN])
def test_a_refresh_that_is_told_to_end_does_not_wait_for_its_gate(
    tmp_path: Path, terminated: signal.Handlers
) -> None:
    judging = Examiner()
    # What the process of the gate inherits.
    former = signal.signal(signal.SIGTERM, terminated)
    try:
        judging.judge(passes, Home(tmp_path))
    finally:
        signal.signal(signal.SIGTERM, former)
    former = signal.signal(signal.SIGALRM, signal.default_int_handler)
    began = time.monotonic()
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.5)
        with pytest.raises(KeyboardInterrupt), closing(judging):
            judging.judge(sleeps, Home(tmp_path))
    finally:
        signal.signal(signal.SIGALRM, former)
    # Neither the minute it sleeps nor what a gate that owes nothing is given to end.
    assert time.monotonic() - began < examiner.SECONDS_TO_END
