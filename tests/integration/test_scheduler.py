"""Several schedulers, one lease."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import Engine, text

from opinion.scheduler import Job, Scheduler
from storage import job_runs
from storage.engine import connect
from storage.job_runs import JobRun
from storage.scheduler_lease import SCHEDULER_LOCK
from tests.support.waiting import wait_for

EVERY = timedelta(seconds=0.1)
ShouldStop = Callable[[], bool]


@pytest.fixture
def engines(database_url: str) -> Iterator[list[Engine]]:
    made = [connect(database_url) for _ in range(3)]
    yield made
    for engine in made:
        engine.dispose()


@contextmanager
def running(engine: Engine, *jobs: Job) -> Iterator[Scheduler]:
    scheduler = Scheduler(engine, jobs)
    thread = threading.Thread(target=scheduler.run)
    thread.start()
    try:
        yield scheduler
    finally:
        scheduler.stop()
        thread.join(timeout=15)
        assert not thread.is_alive()


def break_lease(engine: Engine) -> None:
    """End the session that holds the lease, as a crash or a lost network would."""
    with engine.begin() as connection:
        ended = connection.execute(
            text("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objid = :key"),
            {"key": SCHEDULER_LOCK},
        ).all()
    assert ended


def test_of_two_schedulers_one_works_and_the_other_takes_over(engines: list[Engine]) -> None:
    """While the first lives the second does nothing; when it stops the second goes on."""
    runs: list[str] = []
    with ExitStack() as stack:
        first = stack.enter_context(running(engines[0], Job("j", EVERY, lambda _: runs.append("first"))))
        wait_for(lambda: len(runs) > 2, 10, "the first to work")
        second = stack.enter_context(running(engines[1], Job("j", EVERY, lambda _: runs.append("second"))))
        seen = len(runs)
        wait_for(lambda: len(runs) > seen + 5, 10, "more runs")
        assert "second" not in runs
        assert not second.is_active
        assert second.not_ready() is None
        first.stop()
        wait_for(lambda: "second" in runs, 10, "the second to take over")
        assert "first" not in runs[runs.index("second") :]


def test_a_lost_lease_stops_the_jobs_and_somebody_goes_on(engines: list[Engine]) -> None:
    """When the holder's session dies its jobs stop, and one scheduler is active again within seconds."""
    stopped = threading.Event()

    def long(should_stop: ShouldStop) -> None:
        wait_for(should_stop, 30, "being cut off")
        stopped.set()

    with ExitStack() as stack:
        first = stack.enter_context(running(engines[0], Job("long", EVERY, long)))
        wait_for(lambda: first.is_active, 10, "the first to hold the lease")
        second = stack.enter_context(running(engines[1]))
        break_lease(engines[2])
        wait_for(stopped.is_set, 10, "the long job to be cut off")
        wait_for(lambda: first.is_active != second.is_active, 10, "one of them to be active")


def test_a_failing_job_comes_round_again_and_harms_no_other(engines: list[Engine]) -> None:
    """An error is that run's own."""
    runs: list[str] = []

    def fail(_: ShouldStop) -> None:
        runs.append("failed")
        raise RuntimeError("this run")

    with running(engines[0], Job("bad", EVERY, fail), Job("good", EVERY, lambda _: runs.append("good"))):
        wait_for(lambda: runs.count("failed") > 2 and runs.count("good") > 2, 10, "both to go on")


def test_a_job_never_overlaps_itself(engines: list[Engine]) -> None:
    """A run that takes longer than its interval delays the next one."""
    at_once, most, runs = 0, 0, 0
    lock = threading.Lock()

    def slow(should_stop: ShouldStop) -> None:
        nonlocal at_once, most, runs
        with lock:
            at_once += 1
            most = max(most, at_once)
        threading.Event().wait(0.4)
        with lock:
            at_once -= 1
            runs += 1

    with running(engines[0], Job("slow", EVERY, slow)):
        wait_for(lambda: runs >= 3, 15, "three runs")
    assert most == 1


def test_it_waits_for_a_database_that_is_away() -> None:
    """Without PostgreSQL it neither ends nor claims to be ready for long."""
    engine = connect("postgresql://nobody@127.0.0.1:1/none")
    with running(engine) as scheduler:
        scheduler._lease._heard_at -= 60
        assert "PostgreSQL" in (scheduler.not_ready() or "")
    engine.dispose()


def test_people_see_how_the_jobs_are_doing(engines: list[Engine], monkeypatch: pytest.MonkeyPatch) -> None:
    """What the latest run of each job came to stands in SQL, and of a failure what was said, on one line."""
    monkeypatch.setattr("opinion.scheduler.SHOW_EVERY", EVERY)

    def fail(_: ShouldStop) -> None:
        raise ValueError("no such\nthing")

    def shown() -> dict[str, JobRun]:
        with engines[1].connect() as connection:
            return {run.job: run for run in job_runs.known(connection)}

    with running(engines[0], Job("well", EVERY, lambda _: None), Job("ill", EVERY, fail)):
        wait_for(lambda: len(runs := shown()) == 2 and runs["ill"].failures > 1, 10, "both to be shown")
        wait_for(lambda: shown()["well"].runs > 2, 10, "more runs of the one")
    well, ill = shown()["well"], shown()["ill"]
    assert (well.failures, well.error) == (0, None)
    assert ill.error == "ValueError: no such"
    assert ill.failed_at is not None
