"""`/api/v1/incidents/ID/…`: what people do about an incident, and who hears of it."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Request
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy import Connection
from starlette.responses import Response

from alerts.asking import ask
from alerts.detection.rules import ALERT_NAME
from alerts.routing.dry_run import Answer, imagined
from core.errors import GateRefusedError
from core.records import Severity
from core.watchlist_entries import speakable
from storage import incident_care, incidents, queries
from storage.incidents import IncidentRow
from storage.queries import Incident
from web.auditing import ChangesNothing
from web.database import Reading
from web.errors import ErrorAnswer, respond
from web.problems import Problem
from web.rendering import console_of
from web.roles import Analyst
from web.routes.api import LARGEST_ID

router = APIRouter(
    prefix="/api/v1",
    responses={status: {"model": ErrorAnswer} for status in (400, 403, 404, 409, 422, 503)},
    tags=["incidents"],
)
BY = "For whom a program does it; a person who is logged in acts in their own name."
IncidentId = Annotated[int, Path(ge=1, le=LARGEST_ID)]
Line = Annotated[str, StringConstraints(strict=True, strip_whitespace=True, min_length=1), AfterValidator(speakable)]
Name = Annotated[Line, Field(max_length=100)]
Comment = Annotated[Line, Field(max_length=2000)]
Label = Annotated[str, StringConstraints(max_length=500), AfterValidator(speakable)]


class Body(BaseModel):
    """What every request may say."""

    model_config = ConfigDict(extra="forbid")

    by: Name | None = Field(None, description=BY)


class Assignment(Body):
    """Whose an incident is from now on."""

    owner: Name


class CommentBody(Body):
    """A line of an incident's history."""

    text: Comment


class Closing(Body):
    """Why nobody has to mind any more."""

    comment: Comment | None = None


class Question(BaseModel):
    """An incident that there could be."""

    model_config = ConfigDict(extra="forbid")

    labels: Annotated[dict[Annotated[str, StringConstraints(max_length=100)], Label], Field(max_length=50)]
    severity: Severity = "warning"
    at: AwareDatetime | None = Field(None, description="If it were then; now if absent.")


@router.post("/incidents/{incident_id}/acknowledge", response_model=Incident)
def acknowledge(request: Request, incident_id: IncidentId, body: Body, person: Analyst) -> Response | Incident:
    """Somebody takes it over: no reminders and no escalation from now on. The first name stays."""
    return _done(
        request, incident_id, lambda c: incident_care.acknowledge(c, incident_id, by=person.acting_for(body.by))
    )


@router.post("/incidents/{incident_id}/unacknowledge", response_model=Incident)
def unacknowledge(request: Request, incident_id: IncidentId, body: Body, person: Analyst) -> Response | Incident:
    """Hand it back: reminders and escalation go on."""
    return _done(
        request, incident_id, lambda c: incident_care.unacknowledge(c, incident_id, by=person.acting_for(body.by))
    )


@router.post("/incidents/{incident_id}/assign", response_model=Incident)
def assign(request: Request, incident_id: IncidentId, body: Assignment, person: Analyst) -> Response | Incident:
    """Say whose it is; it is not acknowledged by that."""
    return _done(
        request,
        incident_id,
        lambda c: incident_care.assign(c, incident_id, body.owner, by=person.acting_for(body.by)),
    )


@router.post("/incidents/{incident_id}/comments", response_model=Incident)
def comment(request: Request, incident_id: IncidentId, body: CommentBody, person: Analyst) -> Response | Incident:
    """Write a line into its history."""
    return _done(
        request,
        incident_id,
        lambda c: incident_care.comment(c, incident_id, body.text, by=person.acting_for(body.by)),
    )


@router.post("/incidents/{incident_id}/resolve", response_model=Incident)
def resolve(request: Request, incident_id: IncidentId, body: Closing, person: Analyst) -> Response | Incident:
    """Be done with it, as long as it does not grow ten times rarer."""
    why = body.comment or ""
    return _done(
        request,
        incident_id,
        lambda c: incident_care.close(c, incident_id, by=person.acting_for(body.by), comment=why),
    )


@router.post("/incidents/{incident_id}/reopen", response_model=Incident)
def reopen(request: Request, incident_id: IncidentId, body: Body, person: Analyst) -> Response | Incident:
    """Take back that somebody resolved it. 409 where the counts say that it is over."""
    return _done(request, incident_id, lambda c: incident_care.reopen(c, incident_id, by=person.acting_for(body.by)))


@router.get("/incidents/{incident_id}/who")
def who_hears(request: Request, connection: Reading, incident_id: IncidentId) -> list[Answer]:
    """Who hears of it, when, and why or why not."""
    return _asked(request, connection, incidents.one(connection, incident_id), console_of(request).clock.now())


@router.post("/who", dependencies=[ChangesNothing])
def who_would_hear(request: Request, connection: Reading, question: Question) -> list[Answer]:
    """Who would hear of an incident with such labels; nobody is told."""
    now = question.at or console_of(request).clock.now()
    row = imagined({"alertname": ALERT_NAME, **question.labels}, question.severity, now)
    return _asked(request, connection, row, now)


def _asked(request: Request, connection: Connection, row: IncidentRow, now: datetime) -> list[Answer]:
    return ask(connection, row, request.app.state.receivers, now)


def _done(request: Request, incident_id: int, act: Callable[[Connection], object]) -> Response | Incident:
    with console_of(request).engine.begin() as connection:
        try:
            act(connection)
        except GateRefusedError as error:
            return respond(request, Problem(409, "not_possible", error.message))
        return queries.one_incident(connection, incident_id)
