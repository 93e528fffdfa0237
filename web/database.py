"""A request's connection: one read-only transaction that gives up before the reader does."""

from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy import Connection, text

from web.rendering import console_of

STATEMENT_TIMEOUT = "10s"


def reading(request: Request) -> Iterator[Connection]:
    """A connection on which nothing can be changed, with one snapshot for all its queries."""
    engine = console_of(request).engine
    options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    with engine.connect().execution_options(**options) as connection:
        connection.execute(text(f"SET LOCAL statement_timeout = '{STATEMENT_TIMEOUT}'"))
        yield connection


Reading = Annotated[Connection, Depends(reading)]
