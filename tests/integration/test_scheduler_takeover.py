"""Who runs the jobs when a scheduler is frozen, and what is still due after a takeover."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from core.metrics import JOB_LAST_RUN
from opinion.scheduler import Job
from storage.engine import connect
from tests.integration.test_scheduler import break_lease, running
from tests.support.ticking_scheduler import TICKS
from tests.support.waiting import wait_for

REPOSITORY = Path(__file__).parents[2]
DAY = timedelta(days=1)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    made = connect(database_url)
    yield made
    made.dispose()


@contextmanager
def ticking(url: str, name: str, home: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A scheduler process, ended for certain at the end of the block."""
    with (home / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.ticking_scheduler", url, name],
            cwd=REPOSITORY, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()  # ends a stopped process, too
        process.wait()


def ticks(engine: Engine, job: str, name: str = "%") -> int:
    with engine.connect() as connection:
        counted = connection.scalar(
            text("SELECT count(*) FROM tick WHERE job = :job AND name LIKE :name"), {"job": job, "name": name}
        )
    return int(counted or 0)


def move_back(engine: Engine, job: str, by: timedelta) -> None:
    """Let the job's last run have begun so much earlier, as if time had passed."""
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE scheduler_job SET started_at = started_at - :by WHERE job = :job"), {"job": job, "by": by}
        )


def test_a_frozen_scheduler_is_replaced_and_stands_by_when_it_goes_on(
    engine: Engine, database_url: str, tmp_path: Path
) -> None:
    """SIGSTOP leaves its session open: the other takes over within 15 s, and SIGCONT changes nothing any more."""
    with engine.begin() as connection:
        connection.execute(text(TICKS))
    with ExitStack() as stack:
        first = stack.enter_context(ticking(database_url, "first", tmp_path))
        wait_for(lambda: ticks(engine, "tick", "first") > 2, 60, "the first to work")
        second = stack.enter_context(ticking(database_url, "second", tmp_path))
        wait_for(lambda: standing_by(engine), 60, "the second to stand by")
        os.kill(first.pid, signal.SIGSTOP)
        frozen_at = time.monotonic()
        wait_for(lambda: ticks(engine, "tick", "second"), 20, "the second to take over")
        assert time.monotonic() - frozen_at < 15
        mine = ticks(engine, "tick", "first")
        os.kill(first.pid, signal.SIGCONT)
        wait_for(lambda: standing_by(engine), 10, "the first to stand by")
        assert ticks(engine, "tick", "first") == mine
        assert ticks(engine, "daily") == 1
        os.kill(second.pid, signal.SIGKILL)
        wait_for(lambda: ticks(engine, "tick", "first") > mine, 15, "the first to be active again")
        assert ticks(engine, "daily") == 1


def standing_by(engine: Engine) -> bool:
    """Whether a scheduler waits beside the active one."""
    with engine.connect() as connection:
        names = connection.scalar(
            text("SELECT count(DISTINCT application_name) FROM pg_stat_activity"
                 " WHERE datname = current_database() AND application_name LIKE 'opinion-scheduler-%'")
        )  # fmt: skip
    return int(names or 0) == 2


def test_a_daily_job_keeps_its_time_over_restarts_and_is_made_up_for_once(database_url: str, engine: Engine) -> None:
    """Restarted often it runs once; missed for three days it runs once more, at the next start."""
    runs: list[str] = []
    daily = Job("daily", DAY, lambda _: runs.append("daily"))
    often = Job("often", timedelta(seconds=0.1), lambda _: runs.append("often"))

    def restart() -> None:
        own = connect(database_url)
        seen = runs.count("often")
        with running(own, daily, often):
            wait_for(lambda: runs.count("often") > seen + 5, 10, "the other job to run")
        own.dispose()

    restart()
    restart()
    assert runs.count("daily") == 1
    move_back(engine, "daily", 3 * DAY)
    restart()
    restart()
    assert runs.count("daily") == 2
    assert JOB_LAST_RUN.labels("daily")._value.get() == pytest.approx(time.time(), abs=60)


def test_a_rare_job_that_was_cut_off_is_done_again_by_the_next(database_url: str, engine: Engine) -> None:
    """What had begun and did not end in its scheduler's term does not wait for its next day."""
    runs: list[str] = []
    is_first_over = threading.Event()

    def first(should_stop: Callable[[], bool]) -> None:
        runs.append("first")
        wait_for(should_stop, 60, "being cut off")
        is_first_over.set()

    with ExitStack() as stack:
        engines = [connect(database_url) for _ in range(2)]
        for one in engines:
            stack.callback(one.dispose)
        stack.enter_context(running(engines[0], Job("rare", DAY, first)))
        wait_for(lambda: runs, 10, "the first to begin")
        move_back(engine, "rare", timedelta(minutes=2))
        stack.enter_context(running(engines[1], Job("rare", DAY, lambda _: runs.append("second"))))
        break_lease(engine)
        wait_for(is_first_over.is_set, 10, "the first to be cut off")
        wait_for(lambda: runs[1:], 20, "somebody to do it again")
        assert len(runs) == 2
