"""What the tools of `opinion mcp` read: one read-only transaction each, as the role that sees only schema `bi` where
the server has it, and given up after ten seconds."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

import psycopg.errors
from mcp.server.mcpserver.exceptions import ToolError
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError, ProgrammingError

from core.errors import OpinionError
from storage.engine import connect

STATEMENT_SECONDS: Final = 10
DEFAULT_SPAN: Final = timedelta(days=1)
ROLE: Final = "opinion_bi"
Bucket = Literal["minute", "hour", "day"]
FINEST: Final[list[tuple[timedelta, Bucket]]] = [(timedelta(hours=6), "minute"), (timedelta(days=8), "hour")]


class Database:
    """The configured or running database, looked up anew for each question: it may start after this server."""

    def __init__(self, address: Callable[[], str | None]) -> None:
        self._address = address
        self._engines: dict[str, Engine] = {}
        self._lock = threading.Lock()

    @contextmanager
    def reading(self, *, only_views: bool = True) -> Iterator[Connection]:
        """A connection on which nothing can be changed.

        Raises:
            ToolError: there is no database, it does not answer, or it took too long.
        """
        options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        try:
            with self._engine().connect().execution_options(**options) as connection:
                connection.execute(text(f"SET LOCAL statement_timeout = '{STATEMENT_SECONDS}s'"))
                if only_views:
                    _take_role(connection)
                yield connection
        except OpinionError as error:
            raise ToolError(f"{error.message}. Next: {error.remedy or 'opinion doctor'}") from error
        except DBAPIError as error:
            if isinstance(error.orig, psycopg.errors.QueryCanceled):
                message = f"it took longer than {STATEMENT_SECONDS} s. Next: a shorter range, or one more filter"
                raise ToolError(message) from error
            if error.connection_invalidated or not isinstance(error, ProgrammingError):
                raise ToolError("the database does not answer. Next: run `opinion doctor` on its machine") from error
            raise

    def close(self) -> None:
        """Give the connections back."""
        for engine in self._engines.values():
            engine.dispose()

    def _engine(self) -> Engine:
        address = self._address()
        if address is None:
            raise ToolError("no database is configured or running. Next: `opinion up`, or set OPINION_DATABASE_URL")
        with self._lock:
            if address not in self._engines:
                self._engines[address] = connect(address, pool_size=2)
            return self._engines[address]


def _take_role(connection: Connection) -> None:
    """See only what dashboards see. Without the role, or the right to it, the transaction is still read-only."""
    try:
        with connection.begin_nested():
            connection.execute(text(f"SET LOCAL ROLE {ROLE}"))
    except DBAPIError as error:
        if not isinstance(error.orig, psycopg.errors.InsufficientPrivilege | psycopg.errors.InvalidParameterValue):
            raise


def span_of(connection: Connection, since: datetime | None, until: datetime | None) -> tuple[datetime, datetime]:
    """The range asked for; by default the day up to the newest document.

    Raises:
        ToolError: it ends before it begins.
    """
    if until is None:
        newest = connection.scalar(text("SELECT max(bucket_at) FROM bi.sentiment_minute"))
        until = newest + timedelta(minutes=1) if newest else datetime.now(UTC)
    end = _aware(until)
    start = _aware(since) if since is not None else end - DEFAULT_SPAN
    if start >= end:
        raise ToolError(f"`since` ({start.isoformat()}) is not before `until` ({end.isoformat()})")
    return start, end


def bucket_for(start: datetime, end: datetime) -> Bucket:
    """The finest bucket that gives at most some hundred of them."""
    return next((bucket for longest, bucket in FINEST if end - start <= longest), "day")


def conditions(given: Mapping[str, str | None]) -> tuple[str, dict[str, str]]:
    """SQL that narrows to the values given, by column, and its parameters."""
    asked = {column: value for column, value in given.items() if value is not None}
    return "".join(f" AND {column} = :{column}" for column in asked), asked


def rows(connection: Connection, statement: str, values: Mapping[str, Any]) -> list[Any]:
    """All rows of a statement."""
    return list(connection.execute(text(statement), dict(values)).all())


def _aware(at: datetime) -> datetime:
    return at if at.tzinfo else at.replace(tzinfo=UTC)
