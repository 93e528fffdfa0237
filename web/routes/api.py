"""`/api/v1`: the pages' figures as JSON."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from pydantic import AfterValidator
from starlette.exceptions import HTTPException

from storage import incident_list, queries
from storage.queries import Incident, IncidentFile, SourceHealth
from storage.search import MOST
from web.charting import Chart, read_chart
from web.database import Reading
from web.errors import ErrorAnswer
from web.incident_view import IncidentsQuery
from web.readings import (
    DocumentPage,
    Overview,
    read_comments,
    read_documents,
    read_overview,
)
from web.rendering import console_of
from web.view import DocumentsView, Name, View, no_nul

LARGEST_ID = 2**63 - 1  # bigint

router = APIRouter(
    prefix="/api/v1", responses={status: {"model": ErrorAnswer} for status in (404, 422, 503)}, tags=["console"]
)


@router.get("/overview")
def overview(request: Request, connection: Reading, view: Annotated[View, Query()]) -> Overview:
    """Counts, fates, largest groups and incidents of a range."""
    console = console_of(request)
    return read_overview(connection, view, console.clock.now(), console.zone)


@router.get("/series")
def series(request: Request, connection: Reading, view: Annotated[View, Query()]) -> Chart:
    """Counts over event time, and what the detector expects of them; the bucket follows from the length of the range
    and the number of documents."""
    console = console_of(request)
    return read_chart(connection, view, console.clock.now(), console.zone, request.app.state.detector)


@router.get("/incidents")
def incidents(connection: Reading, view: Annotated[IncidentsQuery, Query()]) -> list[Incident]:
    """Incidents that meet all filters: firing ones first, then the newest."""
    return incident_list.page(connection, view.wanted, offset=(view.page - 1) * view.limit, limit=view.limit)


@router.get("/incidents/{incident_id}")
def incident(connection: Reading, incident_id: Annotated[int, Path(ge=1, le=LARGEST_ID)]) -> IncidentFile:
    """One incident with its events, evidence and deliveries."""
    found = queries.incident_file(connection, incident_id)
    if found is None:
        raise HTTPException(404)
    return found


@router.get("/documents")
def documents(
    request: Request,
    connection: Reading,
    view: Annotated[DocumentsView, Query()],
) -> DocumentPage:
    """Documents, newest first, those that `q` finds if it is given; follow `next` through `before`."""
    console = console_of(request)
    return read_documents(connection, view, console.clock.now(), console.zone)


@router.get("/sources")
def sources(connection: Reading, limit: Annotated[int, Query(ge=1, le=10_000)] = 1000) -> list[SourceHealth]:
    """Sources and how they are: the silent ones first."""
    return queries.source_health(connection, limit)


@router.get("/documents/{document_id:path}/comments")
def comments(
    connection: Reading,
    document_id: Annotated[str, AfterValidator(no_nul)],
    before: Annotated[Name, Query(description="The `next` of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=MOST)] = 50,
) -> DocumentPage:
    """Documents that comment on this one, newest first, also before it is stored itself."""
    found = read_comments(connection, document_id, before, limit)
    if found is None:
        raise HTTPException(404)
    return found
