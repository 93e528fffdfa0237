"""The forms of an incident's page: each is sent, answered by 303, and shown again with the reason where it failed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request
from sqlalchemy import Connection
from starlette.responses import RedirectResponse, Response

from alerts.routing import silencing
from core.errors import GateRefusedError, NotFoundError, UsageError
from core.watchlist_entries import speakable
from storage import feedback, incident_care, silences
from storage.feedback import Verdict
from web.database import Reading
from web.forms import Form
from web.rendering import console_of
from web.roles import Analyst
from web.routes.incidents import IncidentId, incident_page
from web.silence_drafts import MOST_MATCHERS, draft_of

Action = Literal["unacknowledge", "assign", "comment", "resolve", "reopen", "silence", "unsilence", "feedback"]
MOST_NAME_CHARS = 100
MOST_CHARS = 2000

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Sent:
    """A form, who sent it, and when."""

    connection: Connection
    incident_id: int
    fields: Mapping[str, str]
    by: str
    now: datetime
    zone: ZoneInfo

    def line(self, name: str, most: int = MOST_CHARS, *, is_needed: bool = False) -> str:
        """A field as one line.

        Raises:
            UsageError: it is empty though it is needed, too long, or holds control characters.
        """
        text = " ".join(self.fields.get(name, "").split())
        if is_needed and not text:
            raise UsageError("there is nothing in it")
        if len(text) > most:
            raise UsageError(f"at most {most} characters")
        try:
            return speakable(text)
        except ValueError as error:
            raise UsageError(str(error)) from error


@router.post("/incidents/{incident_id}/{action}")
def act(
    request: Request, reading: Reading, incident_id: IncidentId, action: Action, form: Form, person: Analyst
) -> Response:
    """Do it, and go back to the page; where it cannot be done, the page says why and keeps what was typed."""
    console = console_of(request)
    try:
        with console.engine.begin() as connection:
            ACTIONS[action](Sent(connection, incident_id, form, person.name, console.clock.now(), console.zone))
    except (UsageError, GateRefusedError) as error:
        status = 409 if isinstance(error, GateRefusedError) else 422
        return incident_page(request, reading, incident_id, typed=form, problem=error.message, status_code=status)
    return RedirectResponse(f"/incidents/{incident_id}?done={action}#care", status_code=303)


def _assign(sent: Sent) -> None:
    owner = sent.line("owner", MOST_NAME_CHARS, is_needed=True)
    incident_care.assign(sent.connection, sent.incident_id, owner, by=sent.by)


def _comment(sent: Sent) -> None:
    incident_care.comment(sent.connection, sent.incident_id, sent.line("text", is_needed=True), by=sent.by)


def _resolve(sent: Sent) -> None:
    incident_care.close(sent.connection, sent.incident_id, by=sent.by, comment=sent.line("comment"))


def _silence(sent: Sent) -> None:
    draft = draft_of({}, sent.fields)
    if len(draft.lines) > MOST_MATCHERS:
        raise UsageError(f"at most {MOST_MATCHERS} matchers")
    silencing.silence(
        sent.connection,
        draft.lines,
        starts_at=sent.now,
        ends_at=draft.ends_at(sent.now, sent.zone),
        by=sent.by,
        comment=sent.line("why"),
    )


def _unsilence(sent: Sent) -> None:
    number = sent.fields.get("silence", "")
    if not (number.isascii() and number.isdigit() and len(number) < 19):
        raise NotFoundError("there is no such silence")
    silences.expire(sent.connection, int(number), now=sent.now, by=sent.by)


def _feedback(sent: Sent) -> None:
    said = next((one for one in get_args(Verdict) if one == sent.fields.get("verdict")), None)
    if said is None:
        raise UsageError("choose one of the answers")
    feedback.give(sent.connection, sent.incident_id, said, by=sent.by, comment=sent.line("reason"))


ACTIONS: Mapping[Action, Callable[[Sent], object]] = {
    "unacknowledge": lambda sent: incident_care.unacknowledge(sent.connection, sent.incident_id, by=sent.by),
    "assign": _assign,
    "comment": _comment,
    "resolve": _resolve,
    "reopen": lambda sent: incident_care.reopen(sent.connection, sent.incident_id, by=sent.by),
    "silence": _silence,
    "unsilence": _unsilence,
    "feedback": _feedback,
}
