"""`/reports`: the daily and weekly reports that the scheduler has made, as pages and as PDF; dossiers of incidents.

A report brings its own styles, so it comes with its own, stricter policy: nothing but those is let in.
"""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Path, Query, Request
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, Response

from storage import reports
from storage.reports import Kind, Language
from web.database import Reading
from web.i18n import language_of
from web.incident_reading import read_incident
from web.rendering import console_of, page
from web.reports.pages import Look, dossier_html, policy
from web.routes.api import LARGEST_ID
from web.routes.incidents import IncidentId
from web.view import Name, Optionally

PAGE = 50

router = APIRouter(include_in_schema=False)
ReportId = Annotated[int, Path(ge=1, le=LARGEST_ID)]


@router.get("/reports")
def listed(
    request: Request,
    connection: Reading,
    kind: Annotated[Kind | None, Optionally] = None,
    watchlist: Name = None,
    language: Annotated[Language | None, Optionally] = None,
    number: Annotated[int, Query(alias="page", ge=1, le=200)] = 1,
) -> HTMLResponse:
    """The list, in the reader's language unless another is asked for."""
    told = language or language_of(request)
    found = reports.newest(
        connection, kind=kind, watchlist=watchlist, language=told, offset=(number - 1) * PAGE, limit=PAGE + 1
    )

    def url(**changes: object) -> str:
        state = {"kind": kind, "watchlist": watchlist, "language": language} | changes
        given = {name: str(value) for name, value in state.items() if value is not None}
        return f"/reports?{urlencode(given)}" if given else "/reports"

    return page(
        request,
        "reports.html",
        reports=found[:PAGE],
        has_more=len(found) > PAGE,
        number=number,
        kind=kind,
        watchlist=watchlist,
        told=told,
        url=url,
        watchlists=reports.watchlists(connection),
    )


@router.get("/reports/{report_id}.pdf")
def printed(connection: Reading, report_id: ReportId) -> Response:
    """The PDF, to be kept."""
    found = reports.pdf_of(connection, report_id)
    if found is None:
        raise HTTPException(404)
    line, body = found
    name = f"{line.kind}-{line.first_day}-{line.id}.pdf"
    return Response(
        body, media_type="application/pdf", headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )


@router.get("/reports/{report_id}")
def shown(connection: Reading, report_id: ReportId) -> HTMLResponse:
    """The report as it was made."""
    html = reports.html_of(connection, report_id)
    if html is None:
        raise HTTPException(404)
    return _own_page(html)


@router.get("/incidents/{incident_id}/dossier")
def dossier(request: Request, connection: Reading, incident_id: IncidentId) -> HTMLResponse:
    """Everything about one incident, as it is now."""
    console = console_of(request)
    now = console.clock.now()
    found = read_incident(connection, incident_id, [], now)
    if found is None:
        raise HTTPException(404)
    return _own_page(dossier_html(found, Look(language_of(request), console.zone, "", now)))


def _own_page(html: str) -> HTMLResponse:
    headers = {"Content-Security-Policy": f"{policy()}; frame-ancestors 'none'"}
    return HTMLResponse(html, headers=headers)
