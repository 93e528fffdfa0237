"""`/`: how much comes in, how it reads, what fires."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import HTMLResponse

from storage.queries import newest_documents
from storage.series import Group
from web.database import Reading
from web.readings import read_choices, read_overview
from web.rendering import console_of, page
from web.view import GROUPS, View

NEWEST = 12
NO_CHOICES: dict[Group, list[str]] = {group: [] for group in GROUPS}

router = APIRouter(include_in_schema=False)


@router.get("/")
def overview(request: Request, connection: Reading, view: Annotated[View, Query()]) -> HTMLResponse:
    """The page; htmx takes its live part out of the same answer."""
    console = console_of(request)
    now = console.clock.now()
    reading = read_overview(connection, view, now, console.zone)
    is_refresh = "hx-request" in request.headers  # of the live part, which holds no filters
    return page(
        request,
        "overview.html",
        view=view,
        overview=reading,
        documents=newest_documents(connection, filters=view.filters, span=reading.window.span, limit=NEWEST),
        choices=NO_CHOICES if is_refresh else read_choices(connection, view, now, console.zone),
    )
