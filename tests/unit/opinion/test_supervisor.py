"""The supervisor, with real child processes."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from core import children
from core.errors import DependencyNotReadyError
from opinion.supervisor import Backoff, Program, Supervisor
from tests.support.waiting import wait_for

SLEEP = "import time; time.sleep(60)"
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"


@dataclass
class Seconds:
    """A monotonic clock that is moved by hand."""

    now: float = 100.0

    def __call__(self) -> float:
        return self.now


class Recorder:
    """A service that only notes what is asked of it."""

    log_path = Path("recorder.log")

    def __init__(self, name: str, journal: list[str], *, fails: bool = False) -> None:
        self.name = name
        self.is_running = False
        self._journal = journal
        self._fails = fails

    def start(self) -> None:
        self._journal.append(f"start {self.name}")
        if self._fails:
            raise DependencyNotReadyError(f"{self.name} cannot")
        self.is_running = True

    def stop(self) -> None:
        self._journal.append(f"stop {self.name}")
        self.is_running = False


def program(folder: Path, code: str, name: str = "child", *, grace_seconds: float = 5.0) -> Program:
    return Program(name, [sys.executable, "-c", code], log_path=folder / f"{name}.log", grace_seconds=grace_seconds)


@contextmanager
def supervised(*services: Program, clock: Seconds) -> Iterator[Supervisor]:
    supervisor = Supervisor([services], backoff=Backoff(1.0, 8.0, 60.0), monotonic=clock)
    try:
        supervisor.start()
        yield supervisor
    finally:
        supervisor.stop()


def test_starts_in_order_and_stops_in_reverse() -> None:
    """Servers come first and go last."""
    journal: list[str] = []
    database, worker, web = (Recorder(name, journal) for name in ("database", "worker", "web"))
    supervisor = Supervisor([[database], [worker], [web]])
    supervisor.start()
    supervisor.stop()
    assert journal == ["start database", "start worker", "start web", "stop web", "stop worker", "stop database"]


def test_a_killed_child_is_restarted_after_its_delay(tmp_path: Path) -> None:
    """A child that was killed comes back as a new process, and not before the back-off has passed."""
    clock = Seconds()
    child = program(tmp_path, SLEEP)
    with supervised(child, clock=clock) as supervisor:
        first = child.pid
        assert first
        os.kill(first, signal.SIGKILL)
        wait_for(lambda: not child.is_running, 5, "the child's end")
        supervisor.tick()
        clock.now += 0.9
        supervisor.tick()
        assert not child.is_running
        clock.now += 0.2
        supervisor.tick()
        assert child.is_running
        assert child.pid != first


def test_delays_double_up_to_a_limit_and_begin_anew_after_a_stable_run() -> None:
    """A service that keeps ending is restarted less and less often; one that ran long is restarted soon."""
    clock, journal = Seconds(), list[str]()
    service = Recorder("flaky", journal)
    supervisor = Supervisor([[service]], backoff=Backoff(1.0, 8.0, 60.0), monotonic=clock)
    supervisor.start()

    def seconds_until_restart() -> float:
        service.is_running = False
        began = clock.now
        while not service.is_running:
            supervisor.tick()
            clock.now += 0.25
        return clock.now - began

    assert [round(seconds_until_restart() - 0.25) for _ in range(6)] == [1, 2, 4, 8, 8, 8]
    clock.now += 61
    assert round(seconds_until_restart() - 0.25) == 1


def test_a_failed_restart_is_tried_again() -> None:
    """A server whose start fails does not end the supervisor."""
    clock, journal = Seconds(), list[str]()
    service = Recorder("kafka", journal, fails=True)
    supervisor = Supervisor([[service]], backoff=Backoff(1.0, 1.0, 60.0), monotonic=clock)
    for _ in range(4):
        supervisor.tick()
        clock.now += 1.0
    assert journal == ["start kafka", "start kafka"]


def test_a_failed_first_start_is_raised() -> None:
    """`opinion up` ends with the reason when a server cannot start at all."""
    supervisor = Supervisor([[Recorder("kafka", [], fails=True)]])
    with pytest.raises(DependencyNotReadyError, match="kafka cannot"):
        supervisor.start()


def test_a_deaf_child_is_killed_after_the_grace(tmp_path: Path) -> None:
    """SIGTERM first, SIGKILL when the grace has passed."""
    child = program(tmp_path, DEAF, grace_seconds=0.3)
    with supervised(child, clock=Seconds()):
        wait_for(lambda: "deaf" in child.log_path.read_text(), 10, "the child ignores SIGTERM")
        pid = child.pid
    assert pid
    assert not psutil.pid_exists(pid)


def test_children_of_one_stage_stop_side_by_side(tmp_path: Path) -> None:
    """Three children that need their whole grace are gone after one grace, not three."""
    deaf = [program(tmp_path, DEAF, f"child-{number}", grace_seconds=1.0) for number in range(3)]
    supervisor = Supervisor([deaf])
    supervisor.start()
    for child in deaf:
        wait_for(lambda child=child: "deaf" in child.log_path.read_text(), 10, "the child ignores SIGTERM")
    began = time.monotonic()
    supervisor.stop()
    assert time.monotonic() - began < 2.5


def test_a_child_writes_to_its_own_log(tmp_path: Path) -> None:
    """stdout and stderr of a child end up in its log file, across restarts."""
    child = program(tmp_path, "import sys; print('out'); print('err', file=sys.stderr)")
    for _ in range(2):
        child.start()
        wait_for(lambda: not child.is_running, 10, "the child's end")
    assert sorted(child.log_path.read_text().split()) == ["err", "err", "out", "out"]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children of their parent's death")
def test_children_do_not_survive_a_killed_parent(tmp_path: Path) -> None:
    """kill -9 of the supervisor ends its children, too."""
    log = tmp_path / "grandchild.log"
    parent_code = (
        "import sys, time; from pathlib import Path; from opinion.supervisor import Program\n"
        f"child = Program('c', [sys.executable, '-c', {SLEEP!r}], log_path=Path({str(log)!r}))\n"
        "child.start(); print(child.pid, flush=True); time.sleep(60)"
    )
    parent = program(tmp_path, parent_code, "parent")
    parent.start()
    pid = int(wait_for(lambda: parent.log_path.read_text().strip(), 20, "the grandchild's process id"))
    grandchild = children.Identity.of(pid)
    assert parent.pid
    os.kill(parent.pid, signal.SIGKILL)
    wait_for(lambda: grandchild.process() is None, 10, "the grandchild's end")
    parent.stop()


def test_a_missing_program_is_named(tmp_path: Path) -> None:
    """A program that does not exist is an error at the start, not a silent restart loop."""
    with pytest.raises(FileNotFoundError, match="no-such-program"):
        Program("x", ["no-such-program"], log_path=tmp_path / "x.log").start()


def test_find_knows_a_process_by_program_and_argument(tmp_path: Path) -> None:
    """Leftovers are told from others by an exact argument."""
    marker = f"-Xopinion={tmp_path}"
    child = Program("c", [sys.executable, marker, "-c", SLEEP], log_path=tmp_path / "c.log")
    child.start()
    name = Path(sys.executable).name
    try:
        found = wait_for(lambda: children.find(name, marker), 5, "the child in the list of processes")
        assert [process.pid for process in found] == [child.pid]
        assert children.find(name, marker + "x") == []
    finally:
        child.stop()


class Answering(Recorder):
    """A server that answers when it is told to."""

    answers = True

    def is_answering(self) -> bool:
        return self.answers


def test_a_server_is_restarted_only_after_a_long_silence() -> None:
    """One unanswered question is nothing; silence over the whole patience ends and restarts the server."""
    journal: list[str] = []
    clock, server = Seconds(), Answering("server", journal)
    supervisor = Supervisor([[server]], silent_seconds=60, monotonic=clock)
    supervisor.start()

    def pass_seconds(seconds: int, *, answers: bool) -> None:
        server.answers = answers
        for _ in range(seconds):
            clock.now += 1
            supervisor.tick()

    pass_seconds(50, answers=False)
    pass_seconds(50, answers=True)
    pass_seconds(60, answers=False)
    assert journal == ["start server"]
    pass_seconds(30, answers=False)
    assert journal == ["start server", "stop server", "start server"]
