"""Logins that may read schema `bi` and nothing else, each within limits: who looks at a dashboard harms nobody.

A login is a member of the role `opinion_bi`, and has the limits itself: PostgreSQL does not hand on those of a role
to its members.
"""

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from psycopg import errors
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from core.errors import NotFoundError, OpinionError, UsageError

ROLE: Final = "opinion_bi"
MOST_CONNECTIONS: Final = 20  # of one login; the embedded server takes 200 in all
LIMITS: Final = {  # all but jit as the migration that made schema bi a contract sets them on the role
    "default_transaction_read_only": "on",
    "statement_timeout": "30s",
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": "60s",
    "work_mem": "32MB",
    "jit": "off",  # the views answer in milliseconds; compiling one of them takes a second
}
SUPERUSERS_LIMITS: Final = {"temp_file_limit": "1GB"}
NAME: Final = re.compile(r"(?!pg_)[a-z_][a-z0-9_]{0,62}")
NOT_PERMITTED: Final = (
    "an administrator of the database runs it, or makes the login by hand: docs/how-to/query-by-sql.md"
)


def create(connection: Connection, name: str, password: str | None = None) -> str:
    """Make a login; returns its password, which nobody can read again.

    Args:
        password: instead of a new one.

    Raises:
        UsageError: the name cannot be used, or is taken.
        OpinionError: the database does not let us make logins.
    """
    if NAME.fullmatch(name) is None:
        raise UsageError("a name has lower-case letters, digits and _, and does not begin with a digit or pg_")
    if _exists(connection, name):
        raise UsageError(f"there is a login {name} already", remedy="choose another name, or give --renew")
    chosen = password or secrets.token_urlsafe(18)
    with _permitted():
        _let_the_role_read(connection)
        connection.execute(text(f"CREATE ROLE {name} LOGIN CONNECTION LIMIT {MOST_CONNECTIONS} IN ROLE {ROLE}"))
        _set_up(connection, name, chosen)
    return chosen


def renew(connection: Connection, name: str, password: str | None = None) -> str:
    """Give a reader a new password, and the limits of this version.

    Raises:
        NotFoundError: no reader has this name.
    """
    _must_be_reader(connection, name)
    chosen = password or secrets.token_urlsafe(18)
    with _permitted():
        _set_up(connection, name, chosen)
    return chosen


def remove(connection: Connection, name: str) -> None:
    """Take the login away; its sessions end.

    Raises:
        NotFoundError: no reader has this name.
    """
    _must_be_reader(connection, name)
    with _permitted():
        sessions = text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = :name")
        connection.execute(sessions, {"name": name})
        connection.execute(text(f"DROP ROLE {name}"))


def names(connection: Connection) -> list[str]:
    """Everybody who may log in as a reader."""
    return list(
        connection.scalars(
            text("""
                SELECT m.rolname FROM pg_auth_members AS a JOIN pg_roles AS m ON m.oid = a.member
                JOIN pg_roles AS r ON r.oid = a.roleid AND r.rolname = :role
                WHERE m.rolcanlogin AND NOT m.rolsuper AND m.rolname <> CURRENT_USER ORDER BY 1
            """),
            {"role": ROLE},
        )
    )


def _let_the_role_read(connection: Connection) -> None:
    """The migrations did so, unless they were not permitted to make the role, or it came with a restored database."""
    if not _exists(connection, ROLE):
        connection.execute(text(f"CREATE ROLE {ROLE} NOLOGIN"))
    connection.execute(text(f"GRANT USAGE ON SCHEMA bi TO {ROLE}"))
    connection.execute(text(f"GRANT SELECT ON ALL TABLES IN SCHEMA bi TO {ROLE}"))


def _exists(connection: Connection, name: str) -> bool:
    return bool(connection.scalar(text("SELECT count(*) FROM pg_roles WHERE rolname = :name"), {"name": name}))


def _must_be_reader(connection: Connection, name: str) -> None:
    if name not in names(connection) or NAME.fullmatch(name) is None:
        raise NotFoundError(f"no reader is called {name}", remedy="see them with: opinion db readers")


def _set_up(connection: Connection, name: str, password: str) -> None:
    server: Any = connection.connection.driver_connection
    verifier = server.pgconn.encrypt_password(password.encode(), name.encode(), b"scram-sha-256").decode()
    connection.exec_driver_sql(f"ALTER ROLE {name} PASSWORD '{verifier}'")  # so that no log of the server has it
    is_superuser = connection.scalar(text("SELECT rolsuper FROM pg_roles WHERE rolname = CURRENT_USER"))
    for setting, value in (LIMITS | (SUPERUSERS_LIMITS if is_superuser else {})).items():
        connection.execute(text(f"ALTER ROLE {name} SET {setting} = '{value}'"))


@contextmanager
def _permitted() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        if isinstance(error.orig, errors.InsufficientPrivilege | errors.UndefinedObject):
            raise OpinionError(f"the database does not let us: {error.orig}", remedy=NOT_PERMITTED) from error
        raise
