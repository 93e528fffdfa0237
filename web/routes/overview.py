"""`/`: how much comes in, how it reads, what fires."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import HTMLResponse

from storage.series import Group
from web.database import Reading
from web.readings import read_choices, read_documents, read_overview
from web.rendering import console_of, page
from web.view import GROUPS, DocumentsView, View

NEWEST = 12
NO_CHOICES: dict[Group, list[str]] = {group: [] for group in GROUPS}

router = APIRouter(include_in_schema=False)


@router.get("/")
def overview(request: Request, connection: Reading, view: Annotated[View, Query()]) -> HTMLResponse:
    """The page; htmx takes its live part out of the same answer."""
    console = console_of(request)
    now = console.clock.now()
    reading = read_overview(connection, view, now, console.zone)
    newest = DocumentsView(**view.model_dump(), limit=NEWEST)
    is_refresh = "hx-request" in request.headers  # of the live part, which holds no filters
    return page(
        request,
        "overview.html",
        view=view,
        overview=reading,
        documents=read_documents(connection, newest, now, console.zone).documents,
        has_stream=getattr(request.app.state, "stream", None) is not None,
        choices=NO_CHOICES if is_refresh else read_choices(connection, view, now, console.zone),
    )
