"""`/documents`: what was said, newest first."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import HTMLResponse

from storage.queries import freshness
from web.database import Reading
from web.readings import read_choices, read_documents
from web.rendering import console_of, page
from web.view import DocumentsView, window_of

router = APIRouter(include_in_schema=False)


@router.get("/documents")
def documents(request: Request, connection: Reading, view: Annotated[DocumentsView, Query()]) -> HTMLResponse:
    """One page of documents with its filters."""
    console = console_of(request)
    now = console.clock.now()
    age = freshness(connection)
    return page(
        request,
        "documents.html",
        view=view,
        span=window_of(view, age, now, console.zone).span,
        listing=read_documents(connection, view, now, console.zone),
        choices=read_choices(connection, view, now, console.zone),
        freshness=age,
    )
