"""`/api/v1/subscriptions`: who hears of what, when."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from pydantic import AfterValidator, BaseModel, Field
from starlette.responses import Response

from alerts.routing.subscriptions import MAX_NAME_CHARS, Definition, definition_of, entry_of
from core.errors import UsageError
from core.watchlist_entries import speakable
from storage import subscriptions
from storage.subscriptions import StoredSubscription
from web.database import Reading
from web.errors import ErrorAnswer, respond
from web.problems import Problem
from web.rendering import console_of
from web.roles import Analyst

router = APIRouter(
    prefix="/api/v1/subscriptions",
    responses={status: {"model": ErrorAnswer} for status in (400, 403, 404, 422, 503)},
    tags=["subscriptions"],
)
Name = Annotated[
    str, Path(min_length=1, max_length=MAX_NAME_CHARS, description="Of the subscription."), AfterValidator(speakable)
]


class SubscriptionAnswer(BaseModel):
    """A subscription and who made it what it is. `definition` is a `Definition`, unless somebody wrote it by SQL."""

    name: str
    definition: Any
    problem: str | None = Field(description="Why it cannot be used; null where it can.")
    created_at: datetime
    created_by: str
    updated_at: datetime
    updated_by: str


@router.get("")
def list_subscriptions(connection: Reading) -> list[SubscriptionAnswer]:
    """All of them, by name. While there is none, every receiver hears of everything."""
    return [_answer(one) for one in subscriptions.known(connection)]


@router.get("/{name:path}")
def show(connection: Reading, name: Name) -> SubscriptionAnswer:
    """One subscription."""
    return _answer(subscriptions.one(connection, name))


@router.put("/{name:path}", response_model=SubscriptionAnswer)
def put(request: Request, name: Name, definition: Definition, person: Analyst) -> Response | SubscriptionAnswer:
    """Make a subscription, or change what it is."""
    try:
        entry = entry_of(name, definition.model_dump())
    except UsageError as error:
        return respond(request, Problem(422, "bad_request", error.message))
    with console_of(request).engine.begin() as connection:
        subscriptions.put(connection, [(entry.name, definition_of(entry))], by=person.name)
        return _answer(subscriptions.one(connection, entry.name))


@router.delete("/{name:path}", status_code=204, response_class=Response)
def remove(request: Request, name: Name, person: Analyst) -> Response:
    """End it."""
    with console_of(request).engine.begin() as connection:
        subscriptions.remove(connection, name)
    return Response(status_code=204)


def _answer(row: StoredSubscription) -> SubscriptionAnswer:
    try:
        entry_of(row.name, row.definition)
    except UsageError as error:
        problem: str | None = error.message
    else:
        problem = None
    return SubscriptionAnswer(
        name=row.name,
        definition=row.definition,
        problem=problem,
        created_at=row.created_at,
        created_by=row.created_by,
        updated_at=row.updated_at,
        updated_by=row.updated_by,
    )
