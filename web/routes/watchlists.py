"""`/api/v1/watchlists`: what is watched, changed by people; workers follow within seconds."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, Field

from core.errors import UsageError
from core.texts import whole_text
from core.watchlist_entries import MAX_NAME_CHARS, Definition, watchlist_of
from core.watchlists import Watchlists
from storage import watchlists
from storage.stored_documents import newest
from storage.watchlists import StoredWatchlist
from web.auditing import ChangesNothing
from web.database import Reading
from web.errors import ErrorAnswer, respond
from web.problems import Problem
from web.rendering import console_of
from web.roles import Analyst

TRIED_DOCUMENTS = 2000  # the newest: a second of work at most
TRIED_NAME = "watchlist"

router = APIRouter(
    prefix="/api/v1/watchlists",
    responses={status: {"model": ErrorAnswer} for status in (400, 403, 404, 409, 422, 503)},
    tags=["watchlists"],
)
Name = Annotated[str, Path(min_length=1, max_length=MAX_NAME_CHARS, description="Of the watchlist.")]


class WatchlistAnswer(BaseModel):
    """A watchlist and who made it what it is. `definition` is a `Definition`, unless somebody wrote it by SQL."""

    name: str
    definition: Any
    revision: int = Field(description="Grows with every change of any watchlist.")
    file: str | None = Field(description="The watchlist file that owns it; null where people do.")
    created_at: datetime
    created_by: str
    updated_at: datetime
    updated_by: str


class Trial(BaseModel):
    """A definition to try on the newest documents that are stored."""

    watchlist: Definition
    limit: int = Field(20, ge=1, le=100, description="Show at most so many documents.")


class TriedDocument(BaseModel):
    """A stored document that a definition matches."""

    id: str
    published_at: datetime
    source: str
    text: str = Field(description="Title and text.")
    mentions: list[tuple[int, int]] = Field(description="Half-open, in characters of `text`.")


class TrialAnswer(BaseModel):
    """What a definition would have matched."""

    read: int = Field(description="How many documents were looked at.")
    matched: int
    documents: list[TriedDocument] = Field(description="The newest that match, at most `limit`.")


@router.get("")
def list_watchlists(connection: Reading) -> list[WatchlistAnswer]:
    """What is watched, by name."""
    return [_answer(row) for row in watchlists.active(connection)]


@router.get("/{name:path}")
def show(connection: Reading, name: Name) -> WatchlistAnswer:
    """One watchlist."""
    return _answer(watchlists.one(connection, name))


@router.put("/{name:path}", response_model=WatchlistAnswer)
def put(request: Request, name: Name, definition: Definition, person: Analyst) -> Response | WatchlistAnswer:
    """Watch something, or change what it is. 409 where the watchlist file owns it."""
    try:
        wanted = watchlist_of(name, definition.model_dump())
    except UsageError as error:
        return respond(request, Problem(422, "bad_watchlist", error.message))
    with console_of(request).engine.begin() as connection:
        try:
            watchlists.put(connection, [wanted], by=person.name)
        except UsageError as error:
            return respond(request, Problem(409, "owned_by_file", error.message))
        return _answer(watchlists.one(connection, wanted.name))


@router.delete("/{name:path}", status_code=204, response_class=Response)
def remove(request: Request, name: Name, person: Analyst) -> Response:
    """Watch it no longer; what was stored and counted for it stays. 409 where the watchlist file owns it."""
    with console_of(request).engine.begin() as connection:
        try:
            watchlists.remove(connection, name, by=person.name)
        except UsageError as error:
            return respond(request, Problem(409, "owned_by_file", error.message))
    return Response(status_code=204)


@router.post("/test", dependencies=[ChangesNothing])
def try_definition(connection: Reading, trial: Trial, person: Analyst) -> TrialAnswer:
    """What a definition matches among the newest documents; changes nothing."""
    watched = Watchlists([trial.watchlist.named(TRIED_NAME)])
    read = 0
    found: list[TriedDocument] = []
    for document, mentions in _matches(connection, watched):
        read += 1
        if mentions:
            found.append(document.model_copy(update={"mentions": mentions}))
    return TrialAnswer(read=read, matched=len(found), documents=found[: trial.limit])


def _matches(connection: Reading, watched: Watchlists) -> Iterator[tuple[TriedDocument, list[tuple[int, int]]]]:
    for one in newest(connection, TRIED_DOCUMENTS):
        text = whole_text(one.title, one.text, one.quoted_text)
        spans = watched.find(text, source=one.source, lang=one.lang).get(TRIED_NAME, [])
        document = TriedDocument(id=one.id, published_at=one.published_at, source=one.source, text=text, mentions=[])
        yield document, [(span.start, span.end) for span in spans]


def _answer(row: StoredWatchlist) -> WatchlistAnswer:
    return WatchlistAnswer.model_validate(row._asdict())
