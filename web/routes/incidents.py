"""`/incidents`: what fires and what has fired, and one page for each, with all that people can do about it."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from sqlalchemy import Connection
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, RedirectResponse, Response

from alerts.reasons.charts import Theme, chart_svg
from storage import incident_list, queries
from storage.incident_care import acknowledge
from storage.incidents import newest_evidence
from web.database import Reading
from web.i18n import language_of
from web.incident_reading import read_incident
from web.incident_view import FILTERS, PAGE, IncidentsView, around, scope_of, window_of
from web.readings import read_documents
from web.rendering import console_of, page
from web.roles import Analyst
from web.routes.api import LARGEST_ID
from web.silence_drafts import LENGTHS, draft_of, preview

LATEST = 8
DRAFT_FIELDS = ("match", "for", "until", "why")

router = APIRouter(include_in_schema=False)
IncidentId = Annotated[int, Path(ge=1, le=LARGEST_ID)]


@router.get("/incidents")
def incidents(request: Request, connection: Reading, view: Annotated[IncidentsView, Query()]) -> HTMLResponse:
    """The list."""
    found = incident_list.page(connection, view.wanted, offset=(view.page - 1) * PAGE, limit=PAGE + 1)
    return page(
        request,
        "incidents.html",
        incidents=found[:PAGE],
        has_more=len(found) > PAGE,
        asked=view,
        tally=incident_list.tally(connection, view.wanted),
        options=incident_list.choices(connection),
        freshness=queries.freshness(connection),
    )


@router.get("/incidents/{incident_id}")
def incident(request: Request, connection: Reading, incident_id: IncidentId) -> HTMLResponse:
    """One incident: what, against which expectation, since when, on which evidence, and what happened since."""
    return incident_page(request, connection, incident_id)


def incident_page(
    request: Request,
    connection: Connection,
    incident_id: int,
    *,
    typed: Mapping[str, str] | None = None,
    problem: str = "",
    status_code: int = 200,
) -> HTMLResponse:
    """The page of one incident; a form that could not be taken comes back with what was typed, and why.

    The evidence body is the one `alerts.reasons.evidence.gather` makes.
    """
    console = console_of(request)
    now = console.clock.now()
    found = read_incident(connection, incident_id, request.app.state.receivers, now)
    if found is None:
        raise HTTPException(404)
    one = found.file.incident
    body: dict[str, Any] = found.file.evidence[0].body if found.file.evidence else {}
    scope = scope_of(one)
    latest = scope.model_copy(update={"limit": LATEST})
    query = request.query_params
    draft = draft_of(one.labels, typed or {name: query.get(name, "") for name in DRAFT_FIELDS})
    return page(
        request,
        "incident.html",
        status_code=status_code,
        reading=found,
        file=found.file,
        incident=one,
        scope=scope,
        window=window_of(one, body),
        around=around(one, scope),
        body=body,
        words=[driver["name"] for driver in body.get("drivers", {}).get("term", ())],
        filter_of=FILTERS,
        documents=read_documents(connection, latest, now, console.zone).documents,
        draft=draft,
        lengths=list(LENGTHS),
        preview=preview(connection, draft),
        typed=typed or {},
        problem=problem,
        done=query.get("done", ""),
    )


@router.get("/incidents/{incident_id}/chart.svg")
def chart(request: Request, connection: Reading, incident_id: IncidentId, theme: Theme = "light") -> Response:
    """The picture of an incident as it was judged: of its newest evidence."""
    return picture(request, connection, incident_id, theme)


def picture(request: Request, connection: Connection, incident_id: int, theme: Theme) -> Response:
    """Raises HTTPException 404 where the evidence has no series."""
    body = newest_evidence(connection, [incident_id]).get(incident_id, {})
    drawn = chart_svg(body, language=language_of(request), zone=console_of(request).zone, theme=theme)
    if drawn is None:
        raise HTTPException(404)
    return Response(drawn, media_type="image/svg+xml")


@router.post("/incidents/{incident_id}/acknowledge")
def take_on(request: Request, incident_id: IncidentId, person: Analyst) -> RedirectResponse:
    """Someone takes the incident on; repeats change nothing. The same-origin rule keeps other sites out."""
    with console_of(request).engine.begin() as connection:
        acknowledge(connection, incident_id, by=person.name)
    return RedirectResponse(f"/incidents/{incident_id}", status_code=303)
