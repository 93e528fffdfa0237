"""`/documents`: what was said, newest first, searched and narrowed; `/facets`: how a result divides."""

import contextlib
from datetime import timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from starlette.responses import HTMLResponse

from core.queries import QueryError, parse_query
from storage.queries import freshness
from storage.search import SECONDS, SearchTooLongError
from web.database import Reading
from web.readings import read_facets
from web.rendering import console_of, page
from web.searching import read_listing
from web.view import ListView, window_of

COUNTED_AT_ONCE: Final = timedelta(days=1)  # counts of a longer range, or of a query, come after the documents

router = APIRouter(include_in_schema=False)


@router.get("/documents")
def documents(request: Request, connection: Reading, view: Annotated[ListView, Query()]) -> HTMLResponse:
    """One page of documents. A query that is not understood, or takes too long, is answered in the page."""
    console = console_of(request)
    now = console.clock.now()
    age = freshness(connection)
    span = window_of(view, age, now, console.zone).span
    query, problem, listing, divided, is_given_up = None, None, None, None, False
    try:
        query = parse_query(view.q) if view.q is not None else None
        if view.q is None and view.watchlist is None and span.length <= COUNTED_AT_ONCE:
            divided = read_facets(connection, view, now, console.zone)
        listing = read_listing(connection, view, query, now, console.zone)
    except QueryError as error:
        problem = error
    except SearchTooLongError:
        is_given_up = True
    return page(
        request,
        "documents.html",
        status_code=422 if problem or is_given_up else 200,
        view=view,
        span=span,
        listing=listing,
        facets=divided,
        problem=problem,
        is_given_up=is_given_up,
        seconds=f"{SECONDS:g}",
        freshness=age,
    )


@router.get("/facets")
def facets(request: Request, connection: Reading, view: Annotated[ListView, Query()]) -> HTMLResponse:
    """How many documents of each topic, source and so on the same query string finds, each a way to narrow it."""
    console = console_of(request)
    divided = None
    with contextlib.suppress(SearchTooLongError):  # the page says so
        divided = read_facets(connection, view, console.clock.now(), console.zone)
    return page(request, "facets.html", view=view, facets=divided)
