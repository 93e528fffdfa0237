"""Who changed what in the console, the API and the command line; lines are added and never touched again."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal

from sqlalchemy import Connection, insert, select

from storage.tables import audit_log

Outcome = Literal["done", "refused", "failed"]
MOST_CHARS: Final = 300
PAGE: Final = 100


@dataclass(frozen=True, slots=True)
class Line:
    """What somebody did. Nothing secret: no password, token, or text of a request's body.

    Attributes:
        who: a person's name, `token NAME`, or `opinion` for the command line; empty: nobody was logged in.
        what: such as `login` or `PUT /api/v1/rules/{name}`.
        subject: whom or which thing it is about.
        address: where it came from.
    """

    at: datetime
    who: str
    what: str
    subject: str
    address: str
    outcome: Outcome
    detail: Mapping[str, Any]
    id: int = 0


def append(connection: Connection, line: Line) -> None:
    """Add a line; texts are cut, and what PostgreSQL cannot hold is replaced."""
    connection.execute(
        insert(audit_log).values(
            at=line.at,
            who=_plain(line.who),
            what=_plain(line.what),
            subject=_plain(line.subject),
            address=_plain(line.address),
            outcome=line.outcome,
            detail={key: _plain(value) if isinstance(value, str) else value for key, value in line.detail.items()},
        )
    )


def append_by_command(connection: Connection, what: str, subject: str, **detail: Any) -> None:
    """Add what somebody did by the command line: they hold the database itself, so no name of theirs is known."""
    append(connection, Line(datetime.now(UTC), "opinion", what, subject, "", "done", detail))


def page(connection: Connection, *, before: int | None = None, limit: int = PAGE) -> list[Line]:
    """Lines, the newest first; those older than the one with this id."""
    wanted = select(audit_log).order_by(audit_log.c.id.desc()).limit(limit)
    if before is not None:
        wanted = wanted.where(audit_log.c.id < before)
    return [Line(**row._mapping) for row in connection.execute(wanted)]


def _plain(said: str) -> str:
    return said[:MOST_CHARS].encode("utf-8", "replace").decode().replace("\x00", "\N{REPLACEMENT CHARACTER}")
