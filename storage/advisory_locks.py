"""Rights that one process has at a time, on all machines that share the database."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError


@contextmanager
def hold(engine: Engine, key: int) -> Iterator[bool]:
    """Hold a right for as long as the context lasts; yields False when somebody else has it.

    The lock belongs to a connection of its own, so it ends with this process however that ends.
    """
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        is_ours = bool(connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": key}))
        try:
            yield is_ours
        finally:
            if is_ours:
                with suppress(DBAPIError):  # the connection is gone, and the lock with it
                    connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": key})
