"""`/incidents`: what fires and what has fired; one page for each, with a button to take it on."""

from datetime import timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Request
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, RedirectResponse, Response

from alerts.reasons.charts import Theme, chart_svg
from storage import queries
from storage.incident_care import acknowledge
from storage.incidents import newest_evidence
from storage.queries import Incident
from web.database import Reading
from web.i18n import language_of
from web.readings import read_documents
from web.rendering import console_of, page
from web.roles import Analyst
from web.routes.api import LARGEST_ID
from web.view import DocumentsView, View

CONTEXT = timedelta(hours=6)  # of calm before an incident, so that the chart shows what was expected

LATEST = 8

router = APIRouter(include_in_schema=False)
IncidentId = Annotated[int, Path(ge=1, le=LARGEST_ID)]


@router.get("/incidents")
def incidents(
    request: Request, connection: Reading, status: Literal["firing", "resolved"] | None = None
) -> HTMLResponse:
    """The list."""
    found = queries.incidents(connection, status=status, limit=200)
    age = queries.freshness(connection)
    return page(request, "incidents.html", incidents=found, status=status, freshness=age)


@router.get("/incidents/{incident_id}")
def incident(request: Request, connection: Reading, incident_id: IncidentId) -> HTMLResponse:
    """One incident: what, against which expectation, since when, on which evidence, and what happened since.

    The evidence body is the one `alerts.reasons.evidence.gather` makes.
    """
    file = queries.incident_file(connection, incident_id)
    if file is None:
        raise HTTPException(404)
    console = console_of(request)
    scope = scope_of(file.incident)
    latest = scope.model_copy(update={"limit": LATEST})
    return page(
        request,
        "incident.html",
        file=file,
        incident=file.incident,
        scope=scope,
        around=around(file.incident, scope),
        body=file.evidence[0].body if file.evidence else {},
        documents=read_documents(connection, latest, console.clock.now(), console.zone).documents,
    )


@router.get("/incidents/{incident_id}/chart.svg")
def chart(request: Request, connection: Reading, incident_id: IncidentId, theme: Theme = "light") -> Response:
    """The picture of an incident as it was judged: of its newest evidence."""
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


def scope_of(incident: Incident) -> DocumentsView:
    """The documents that an incident is about, as a query string."""
    labels = incident.labels
    return DocumentsView(
        start=incident.starts_at,
        end=incident.ends_at or incident.last_fired_at,
        topic=labels.get("topic"),
        source=labels.get("source"),
        language=labels.get("lang"),
        watchlist=labels.get("watchlist"),
        sentiment="negative",
    )


def around(incident: Incident, scope: DocumentsView) -> View:
    """The chart's query string: the incident with some calm before it, by what the labels leave open."""
    end = scope.end or incident.last_fired_at
    length = max(end - incident.starts_at, timedelta(minutes=5))
    return View(
        start=incident.starts_at - max(3 * length, CONTEXT),
        end=end + length,
        by="source" if scope.topic else "topic",
        topic=scope.topic,
        source=scope.source,
        language=scope.language,
    )
