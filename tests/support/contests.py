"""The naive agent and our worker on the same raw topic, each with a group and a table of its own."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from kafka import KafkaAdminClient
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from storage.engine import connect
from streams.offsets import OffsetReader
from tests.support.faulty_app import Faults
from tests.support.stages import Stage
from tests.support.waiting import wait_for
from tests.support.workers import WorkerProcess

NAIVE, NAIVE_ONE_BY_ONE, OURS = "benchmarks.naive.agent", "benchmarks.naive.one_by_one", "streams.app"

NAIVE_SETTINGS = {
    "BROKER_SESSION_TIMEOUT": "6",  # so that tests need not wait a minute until a killed agent is missed
    "BROKER_HEARTBEAT_INTERVAL": "1",
}


class Contestant(WorkerProcess):
    """A worker, and the switches of its faults (`tests.support.faulty_app`)."""

    def __init__(self, home: Path, environment: dict[str, str], app: str, faults: Faults) -> None:
        self.faults = faults
        super().__init__(home, environment | faults.environment, app, "tests.support.faulty_app")

    @property
    def is_alive(self) -> bool:
        return self.process.poll() is None


class Contest(Stage):
    """Close it in any case."""

    def __init__(self, bootstrap: str, database_url: str, prefix: str, home: Path, *, partitions: int = 4) -> None:
        super().__init__(bootstrap, database_url, prefix, home, partitions=partitions)
        self.database_url = database_url
        self.naive_group = f"{prefix}-naive"
        self._readers = {group: OffsetReader(bootstrap, group, self.raw) for group in (self.group, self.naive_group)}
        self._admin = KafkaAdminClient(bootstrap_servers=bootstrap)
        # It cannot read what Faust's members say of themselves, and tells so at each look.
        logging.getLogger("kafka.admin._groups").setLevel(logging.ERROR)

    def start(self, app: str, *switched_on: str, faust: dict[str, str] | None = None) -> Contestant:
        """Start a worker with faults already on, and with Faust's settings as a deployment may set them: by
        environment variables."""
        faults = Faults(self.home / f"faults-{len(self.workers)}")
        for fault in switched_on:
            faults.hold(fault)  # type: ignore[arg-type]
        environment = self.environment | {"OPINION_GROUP": self.group_of(app)}
        if app != OURS:
            environment |= NAIVE_SETTINGS
        worker = Contestant(self.home, environment | (faust or {}), app, faults)
        self.workers.append(worker)
        return worker

    def group_of(self, app: str) -> str:
        return self.group if app == OURS else self.naive_group

    def start_idle_member(self, group: str) -> WorkerProcess:
        """See `tests.support.idle_member`."""
        environment = self.environment | {"OPINION_GROUP": group}
        if group == self.group:
            environment["TOPIC_DISABLE_LEADER"] = "true"  # as our workers have it: members must agree
        worker = WorkerProcess(self.home, environment, "tests.support.idle_member")
        self.workers.append(worker)
        return worker

    def naive_ids(self) -> Counter[str]:
        """How often each document is in the naive agent's table; none while there is no table."""
        try:
            with self.engine.connect() as connection:
                return Counter(connection.execute(text("SELECT id FROM naive_document")).scalars())
        except ProgrammingError:
            return Counter()

    def lost_by_naive(self, first: int, last: int) -> list[str]:
        """Of documents `d<first>` to `d<last - 1>`, those without a row."""
        stored = self.naive_ids()
        return [f"d{n}" for n in range(first, last) if f"d{n}" not in stored]

    def lag(self, group: str) -> int:
        """Records of the raw topic that the group has not committed."""
        return sum(standing.lag_records for standing in self._readers[group].standings().values())

    def committed(self, group: str) -> dict[int, int | None]:
        """By partition; None where the group has never committed."""
        return {p: standing.committed for p, standing in self._readers[group].standings().items()}

    def fresh_partitions(self, group: str) -> list[int]:
        """Those that the group has never committed, if it is done with all others."""
        standings = self._readers[group].standings()
        is_done = not any(standing.lag_records for standing in standings.values() if standing.committed)
        return [p for p, standing in standings.items() if standing.committed is None] if is_done else []

    def members(self, group: str) -> int | None:
        """How many members the group has; None while it is being put together."""
        described = self._admin.describe_groups([group])[group]
        return len(described["members"]) if described["group_state"] in {"Stable", "Empty"} else None

    def wait_until_naive_caught_up(self, seconds: float = 120) -> None:
        """The naive group's lag is 0: nobody will ever read for it what is not in its table now."""
        wait_for(lambda: self.lag(self.naive_group) == 0, seconds, "the naive group's lag is 0")

    def wait_until_naive_stored(self, count: int, seconds: float = 120) -> None:
        wait_for(lambda: len(self.naive_ids()) == count, seconds, f"{count} rows of the naive agent")

    def wait_until_members(self, group: str, count: int, seconds: float = 120) -> None:
        wait_for(lambda: self.members(group) == count, seconds, f"{count} members in {group}")

    @contextmanager
    def database_away(self) -> Iterator[None]:
        """PostgreSQL refuses connections to the workers' database and ends those it has."""
        with self.engine.connect() as connection:
            name = connection.scalar(text("SELECT current_database()"))
        admin = connect(self.database_url.rsplit("/", 1)[0] + "/postgres").execution_options(
            isolation_level="AUTOCOMMIT"
        )
        try:
            with admin.connect() as connection:
                connection.execute(text(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false'))
                try:
                    ends = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"
                    connection.execute(text(ends), {"name": name})
                    yield
                finally:
                    connection.execute(text(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true'))
        finally:
            admin.dispose()

    def close(self) -> None:
        for worker in self.workers:
            worker.kill()
        super().close()
        for reader in self._readers.values():
            reader.close()
        self._admin.close()


def stands_still(observe: Callable[[], object], seconds: float) -> bool:
    """Whether what is observed stays as it is for so long."""
    seen = observe()
    try:
        wait_for(lambda: observe() != seen, seconds, "a change")
    except AssertionError:
        return True
    return False
