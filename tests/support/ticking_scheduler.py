"""A scheduler in a process of its own whose jobs only write down that they ran: `tick` often, `daily` once a day."""

import signal
import sys
from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import Engine, text

from opinion.scheduler import Job, Scheduler
from storage.engine import connect

TICKS = "CREATE TABLE tick (name text, job text, at timestamptz DEFAULT clock_timestamp())"


def job(engine: Engine, name: str, job_name: str) -> Callable[[Callable[[], bool]], None]:
    """A job that leaves one row a run."""

    def run(_: Callable[[], bool]) -> None:
        with engine.begin() as connection:
            connection.execute(text("INSERT INTO tick VALUES (:name, :job)"), {"name": name, "job": job_name})

    return run


def main(url: str, name: str) -> None:
    """Run until SIGTERM."""
    engine = connect(url)
    jobs = [
        Job("tick", timedelta(seconds=0.2), job(engine, name, "tick")),
        Job("daily", timedelta(days=1), job(engine, name, "daily")),
    ]
    scheduler = Scheduler(engine, jobs)
    signal.signal(signal.SIGTERM, lambda *_: scheduler.stop())
    scheduler.run()
    engine.dispose()


if __name__ == "__main__":
    main(*sys.argv[1:])
