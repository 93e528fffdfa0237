"""The embedded broker and database of one contest, in a folder that is removed in the end."""

import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg

from storage.local import EmbeddedPostgres
from streams.local import EmbeddedKafka


class Servers:
    """Use it with `with`. PostgreSQL is durable and remembers when each row was committed.

    Attributes:
        folder: whoever takes part keeps files and logs there.
    """

    def __init__(self, jars: Path) -> None:
        self._temporary = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self.folder = Path(self._temporary.name)
        self.folder.chmod(0o755)  # PostgreSQL may run as another account
        self._kafka = EmbeddedKafka(self.folder, jars=jars)
        self._postgres = EmbeddedPostgres(self.folder)

    def __enter__(self) -> Self:
        self._kafka.start()
        self._postgres.start()
        self.execute("ALTER SYSTEM SET track_commit_timestamp = on")
        self._postgres.stop()  # it takes a new start
        self._postgres.start()
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _value: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self._postgres.stop()
        self._kafka.stop()
        self._temporary.cleanup()

    @property
    def bootstrap(self) -> str:
        assert self._kafka.bootstrap
        return self._kafka.bootstrap

    def database_url(self, name: str) -> str:
        assert self._postgres.url
        return f"{self._postgres.url.rpartition('/')[0]}/{name}"

    def execute(self, statement: str) -> None:
        """Outside of a transaction, in the maintenance database."""
        with psycopg.connect(self.database_url("postgres"), autocommit=True) as connection:
            connection.execute(statement.encode())
