"""The one seam where changes are written into the audit log: when the answer to a changing request begins.

A route may say in its own words what it did (`note`), and one that only tries something says so (`ChangesNothing`).
"""

from dataclasses import dataclass, field
from typing import Any, Final

import structlog
from fastapi import Depends, Request
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from storage import audit_log
from storage.audit_log import Line, Outcome
from web.access import address_of
from web.rendering import console_of
from web.roles import person_of

log = structlog.get_logger(__name__)

_FAILED: Final = 500
_REFUSED: Final = 400


@dataclass(frozen=True, slots=True)
class Note:
    """What a route says of a change. `who` where nobody is logged in yet; `is_refused` where the status does not
    tell."""

    what: str
    subject: str = ""
    who: str | None = None
    is_refused: bool = False
    detail: dict[str, Any] = field(default_factory=dict)


def note(
    request: Request, what: str, subject: str = "", *, who: str | None = None, is_refused: bool = False, **detail: Any
) -> None:
    """Say what this request changed; nothing secret."""
    request.state.audit_note = Note(what, subject, who, is_refused, detail)


def leave_out(request: Request) -> None:
    """This request changes nothing that anybody has to answer for."""
    request.state.is_left_out = True


ChangesNothing: Final = Depends(leave_out)


def write(request: Request, status: int) -> None:
    """Add the line of a request that is about to be answered. Blocks. A failure is logged: the change is made."""
    route = request.scope.get("route")
    if route is None or getattr(request.state, "is_left_out", False):
        return
    said: Note | None = getattr(request.state, "audit_note", None)
    person = person_of(request)
    who = f"token {person.name}" if person.is_program and person.name else person.name
    if said is None:
        subject = request.url.path if request.path_params else ""
        said = Note(f"{request.method} {getattr(route, 'path', '')}", subject)
    outcome: Outcome = "failed" if status >= _FAILED else "refused" if status >= _REFUSED else "done"
    if said.is_refused:
        outcome = "refused"
    now = console_of(request).clock.now()
    line = Line(
        now,
        who if said.who is None else said.who,
        said.what,
        said.subject,
        address_of(request),
        outcome,
        {**said.detail, "status": status},
    )
    try:
        with console_of(request).engine.begin() as connection:
            audit_log.append(connection, line)
    except (DBAPIError, PoolTimeoutError) as error:
        log.error("audit_line_lost", who=line.who, what=line.what, outcome=outcome, error=str(error).splitlines()[0])
