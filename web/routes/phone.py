"""`/i/ID?t=TOKEN`: one incident on a phone, for whoever was sent the link; readable without a login.

The token is for this incident and receiver, and ends. Chat apps fetch links that are posted, so a GET changes
nothing; the one thing that can be done, taking the incident over, is a POST with the same token.
"""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, RedirectResponse, Response

from alerts.reasons.charts import Theme
from storage import incident_care, queries
from web.database import Reading
from web.forms import Form
from web.incident_view import DIMENSIONS
from web.phone_links import is_valid, path_with
from web.rendering import console_of, page
from web.routes.incidents import IncidentId, picture

NOBODY = "link"  # who takes it over by a link that names no receiver
EXCERPTS = 3

Token = Annotated[str, Query(alias="t", max_length=200)]
ReceiverName = Annotated[str, Query(alias="r", max_length=500)]

router = APIRouter(include_in_schema=False, prefix="/i")


@router.get("/{incident_id}")
def show(
    request: Request, connection: Reading, incident_id: IncidentId, token: Token = "", receiver: ReceiverName = ""
) -> HTMLResponse:
    """What, how much, since when, by what, three examples, and who has it."""
    if not _is_let_in(request, incident_id, receiver, token):
        return _refused(request)
    file = queries.incident_file(connection, incident_id)
    if file is None:
        raise HTTPException(404)
    body = file.evidence[0].body if file.evidence else {}
    drivers = body.get("drivers", {})
    answer = page(
        request,
        "phone.html",
        incident=file.incident,
        body=body,
        drivers=[(name, drivers[name][:EXCERPTS]) for name in DIMENSIONS if drivers.get(name)],
        documents=body.get("documents", [])[:EXCERPTS],
        token=token,
        receiver=receiver,
        chart=f"/i/{incident_id}/chart.svg?{urlencode({'t': token, 'r': receiver})}",
    )
    answer.headers["X-Robots-Tag"] = "noindex"
    return answer


@router.get("/{incident_id}/chart.svg")
def chart(
    request: Request,
    connection: Reading,
    incident_id: IncidentId,
    token: Token = "",
    receiver: ReceiverName = "",
    theme: Theme = "light",
) -> Response:
    """The picture of the day it was judged on."""
    if not _is_let_in(request, incident_id, receiver, token):
        return _refused(request)
    return picture(request, connection, incident_id, theme)


@router.post("/{incident_id}/acknowledge")
def take_on(request: Request, incident_id: IncidentId, form: Form) -> Response:
    """The receiver takes it over; repeats change nothing."""
    token, receiver = form.get("t", ""), form.get("r", "")
    if not _is_let_in(request, incident_id, receiver, token):
        return _refused(request)
    with console_of(request).engine.begin() as connection:
        incident_care.acknowledge(connection, incident_id, by=receiver or NOBODY)
    return RedirectResponse(path_with(incident_id, receiver, token), status_code=303)


def _is_let_in(request: Request, incident_id: int, receiver: str, token: str) -> bool:
    secret: bytes | None = request.app.state.signing_secret
    now = console_of(request).clock.now()
    return secret is not None and is_valid(secret, incident_id, receiver, token, now)


def _refused(request: Request) -> HTMLResponse:
    return page(request, "phone_refused.html", status_code=403)
