"""`opinion up` as a person runs it: up, healed, down, and up again after a crash."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

import storage.local
import streams.local
from core import children
from opinion.stack import StackState, running_stack
from tests.support.servers import JARS
from tests.support.waiting import wait_for

START_SECONDS = 150


@pytest.fixture
def home() -> Iterator[Path]:
    """Open to the account of PostgreSQL, unlike pytest's own folders."""
    folder = Path(tempfile.mkdtemp(prefix="opinion-up-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@contextmanager
def up(home: Path) -> Iterator[tuple[subprocess.Popen[bytes], StackState]]:
    """Servers and scheduler under the supervisor, ready; ended in any case."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("OPINION_")}
    env |= {"OPINION_HOME": str(home), "OPINION_JARS": str(JARS)}
    with (home / "up.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "opinion.cli", "up", "--workers", "0", "--no-web"], env=env, stdout=log, stderr=log
        )
    try:
        state = wait_for(lambda: running_stack(home), START_SECONDS, "the stack's state file")
        yield process, state
    finally:
        process.terminate()
        process.wait(60)


def descendants(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def server(home: Path, program: str) -> psutil.Process:
    """The running broker or database of this home."""
    folder = home.resolve() / ("kafka" if program == "java" else "postgres")
    argument = f"-Dopinion.kafka={folder}" if program == "java" else f"-D{folder / 'data'}"
    return wait_for(lambda: children.find(program, argument), START_SECONDS, f"{program} runs")[0]


def test_killed_servers_come_back_at_the_same_address_and_the_end_is_clean(home: Path) -> None:
    """kill -9 of Kafka and PostgreSQL is healed, Ctrl-C leaves nothing behind, and the exit code is 0."""
    with up(home) as (process, state):
        for program in ("java", "postgres"):
            server(home, program).kill()
        answers = streams.local.is_answering
        wait_for(lambda: storage.local.is_answering(state.database_url), START_SECONDS, "PostgreSQL is back")
        wait_for(lambda: answers(state.kafka_bootstrap), START_SECONDS, "Kafka is back")
        family = descendants(process)
        assert family
        process.send_signal(signal.SIGINT)
        assert process.wait(90) == 0
    assert not [child for child in family if child.is_running()]
    assert running_stack(home) is None


def test_a_killed_supervisor_does_not_block_the_next_start(home: Path) -> None:
    """After kill -9 of `opinion up`, a second one starts with the same addresses, and the first leaves no process."""
    with up(home) as (process, before):
        family = descendants(process)
        process.kill()
        process.wait()
    with up(home) as (_, after):
        assert (after.kafka_bootstrap, after.database_url) == (before.kafka_bootstrap, before.database_url)
        wait_for(lambda: not [child for child in family if child.is_running()], 30, "the first stack's end")
