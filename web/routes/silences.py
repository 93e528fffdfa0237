"""`/api/v1/silences`: what people do not want to hear of for a while."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints
from starlette.responses import Response

from alerts.routing import silencing
from core.errors import UsageError
from core.watchlist_entries import speakable
from storage import incidents, silences
from web.auditing import ChangesNothing
from web.database import Reading
from web.errors import ErrorAnswer, respond
from web.problems import Problem
from web.rendering import console_of
from web.roles import Analyst
from web.routes.api import LARGEST_ID
from web.routes.incident_care import BY, Name

router = APIRouter(
    prefix="/api/v1/silences",
    responses={status: {"model": ErrorAnswer} for status in (400, 403, 404, 422, 503)},
    tags=["silences"],
)
SilenceId = Annotated[int, Path(ge=1, le=LARGEST_ID)]
Matchers = Annotated[list[Annotated[str, StringConstraints(max_length=1000)]], Field(min_length=1, max_length=20)]


class Preview(BaseModel):
    """Matchers to try."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"matchers": ['topic="sports"', 'source=~"weibo|news"']}}
    )

    matchers: Matchers = Field(description="As Alertmanager writes them; all have to hold.")


class Wanted(Preview):
    """A silence to make."""

    starts_at: AwareDatetime | None = Field(None, description="Now if absent.")
    ends_at: AwareDatetime
    comment: Annotated[str, StringConstraints(strip_whitespace=True, max_length=2000), AfterValidator(speakable)] = ""
    by: Name | None = Field(None, description=BY)


@dataclass(frozen=True, slots=True)
class SilenceAnswer:
    """A silence; `is_active` at this moment."""

    id: int
    matchers: list[str]
    starts_at: datetime
    ends_at: datetime
    created_by: str
    created_at: datetime | None
    comment: str
    expired_by: str | None
    is_active: bool


@dataclass(frozen=True, slots=True)
class PreviewAnswer:
    """Open incidents, by id, that would be muted now."""

    mutes: list[int]


@router.get("")
def list_silences(
    request: Request,
    connection: Reading,
    everything: Annotated[bool, Query(alias="all", description="Those that are over, too.")] = False,
) -> list[SilenceAnswer]:
    """Silences, the newest first."""
    now = console_of(request).clock.now()
    return [_answer(one, now) for one in silences.known(connection, ends_after=None if everything else now)]


@router.get("/{silence_id}")
def show(request: Request, connection: Reading, silence_id: SilenceId) -> SilenceAnswer:
    """One silence."""
    return _answer(silences.one(connection, silence_id), console_of(request).clock.now())


@router.post("", status_code=201, response_model=SilenceAnswer)
def mute(request: Request, wanted: Wanted, person: Analyst) -> Response | SilenceAnswer:
    """Mute messages about incidents whose labels match; detection and the alert topic go on."""
    console = console_of(request)
    now = console.clock.now()
    try:
        with console.engine.begin() as connection:
            made = silencing.silence(
                connection,
                wanted.matchers,
                starts_at=wanted.starts_at or now,
                ends_at=wanted.ends_at,
                by=person.acting_for(wanted.by),
                comment=wanted.comment,
            )
    except UsageError as error:
        return respond(request, Problem(422, "bad_request", error.message))
    return _answer(made, now)


@router.post("/preview", response_model=PreviewAnswer, dependencies=[ChangesNothing])
def preview(request: Request, connection: Reading, tried: Preview) -> Response | PreviewAnswer:
    """What matchers would mute now; changes nothing."""
    try:
        conditions = silencing.checked(tried.matchers)
    except UsageError as error:
        return respond(request, Problem(422, "bad_request", error.message))
    return PreviewAnswer([row.id for row in silencing.muted(conditions, incidents.firing(connection))])


@router.delete("/{silence_id}")
def expire(request: Request, silence_id: SilenceId, person: Analyst) -> SilenceAnswer:
    """End it now; what fires is told then."""
    console = console_of(request)
    now = console.clock.now()
    with console.engine.begin() as connection:
        return _answer(
            silences.expire(connection, silence_id, now=now, by=person.name), now + timedelta(microseconds=1)
        )


def _answer(row: silences.SilenceRow, now: datetime) -> SilenceAnswer:
    return SilenceAnswer(
        row.id,
        row.conditions,
        row.starts_at,
        row.ends_at,
        row.created_by,
        row.created_at,
        row.comment,
        row.expired_by,
        row.starts_at <= now < row.ends_at,
    )
