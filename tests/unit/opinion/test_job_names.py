"""Every job of the scheduler has a name that people read."""

from sqlalchemy import create_engine

from core.settings import Settings
from opinion.commands.scheduler import POOL_SIZE, jobs
from web.i18n import MESSAGES


def test_every_job_is_named_and_has_a_session() -> None:
    """The page of operations shows no identifiers, and no job waits for another one's connection."""
    engine = create_engine("postgresql+psycopg://nobody@127.0.0.1:1/none")
    names = [job.name for job in jobs(Settings(), engine, "127.0.0.1:1")]
    for language, words in MESSAGES.items():
        assert [name for name in names if f"job.{name}" not in words] == [], language
    assert len(names) + 6 <= POOL_SIZE  # the lease, three jobs with two, the list of runs, the probes
