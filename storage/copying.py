"""Binary COPY of many rows at once: ten times as fast as INSERT with values."""

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, Final, cast

from psycopg import Connection as PsycopgConnection
from sqlalchemy import Connection, Table

_PG_TYPES: Final = {
    "datetime": "timestamptz",
    "timestamp": "timestamptz",
    "text": "text",
    "integer": "int4",
    "bigint": "int8",
    "blob": "bytea",
    "real": "float4",
    "jsonb": "jsonb",
    "boolean": "bool",
}


def copy_rows(connection: Connection, into: str, shape: Table, rows: Iterable[Sequence[Any]]) -> None:
    """COPY into a table.

    Args:
        into: has the columns of `shape`, in any order, and perhaps others.
        rows: values in the order of `shape`'s columns; JSON wrapped in `psycopg.types.json.Jsonb`.
    """
    driver = cast("PsycopgConnection[Any]", connection.connection.driver_connection)
    names = ", ".join(column.name for column in shape.columns)
    with driver.cursor() as cursor, cursor.copy(f"COPY {into} ({names}) FROM STDIN (FORMAT BINARY)".encode()) as copy:
        copy.set_types(_types(shape))
        for row in rows:
            copy.write_row(row)


@cache
def _types(shape: Table) -> list[str]:
    return [_PG_TYPES[str(column.type.compile()).lower()] for column in shape.columns]
