"""`/documents/{id}`: one document with all that is known of it, and `/why`, the words behind its verdict."""

import secrets
from collections.abc import Sequence
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from pydantic import AfterValidator
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse

from core.queries import QueryError, parse_query
from core.taxonomy import CLASSES, UNCERTAIN_BELOW, Head
from core.watchlists import Watchlist, Watchlists
from storage import document_files, labelling_texts
from storage.document_files import MOST_COMMENTS, WholeDocument
from storage.facets import Facets
from storage.search import SearchTooLongError
from web import labelling
from web.changes import changes
from web.database import Reading
from web.document_file import DocumentFile, read_document
from web.errors import ErrorAnswer
from web.explaining import (
    ExplainerBusyError,
    ExplanationFailedError,
    Explanations,
    ExplanationTooLongError,
    NoCheckpointError,
    Why,
    shaded,
    strongest,
)
from web.highlighting import Piece, mentioned, pieces
from web.problems import Problem, ProblemError
from web.readings import read_comments, read_facets
from web.rendering import console_of, document_url, page
from web.routes.labelling import annotator_of
from web.searching import marked
from web.view import DocumentsView, Name, no_nul

COMMENTS: Final = 20
BUSY_SECONDS: Final = 10  # so soon somebody may ask again why

Id = Annotated[str, AfterValidator(no_nul)]
pages = APIRouter(include_in_schema=False)
api = APIRouter(
    prefix="/api/v1", responses={status: {"model": ErrorAnswer} for status in (404, 422, 503)}, tags=["documents"]
)


@pages.get("/documents/{document_id:path}/why")
def why(
    request: Request,
    connection: Reading,
    document_id: Id,
    head: Annotated[Head, Query(description="Which verdict.")] = "sentiment",
) -> HTMLResponse:
    """The words behind a verdict, as a page of its own or a part of the document's."""
    document = document_files.whole(connection, document_id)
    if document is None:  # an id may end so, too
        return show(request, connection, f"{document_id}/why")
    connection.close()  # an explanation takes seconds; its document has been read
    found, trouble = _explained(request, document, head)
    text = document.version.read_text
    answer = page(
        request,
        "why.html",
        status_code=503 if trouble == "busy" else 200,
        document=document,
        head=head,
        why=found,
        trouble=trouble,
        pieces=shaded(text, found) if found else [],
        words=strongest(text, found) if found else ([], []),
    )
    if trouble == "busy":
        answer.headers["Retry-After"] = str(BUSY_SECONDS)
    return answer


@pages.get("/documents/{document_id:path}")
def show(
    request: Request,
    connection: Reading,
    document_id: Id,
    q: Name = None,
    before: Name = None,
) -> HTMLResponse:
    """One document.

    Args:
        q: a query whose words are marked.
        before: the `next` of the page of comments before.
    """
    file = read_document(connection, document_id)
    if file is None:
        raise HTTPException(404)
    one = file.document
    try:
        query = parse_query(q) if q else None
    except QueryError:
        query = None
    try:
        comments = read_comments(connection, one.id, before, COMMENTS)
    except SearchTooLongError:
        comments = None
    stored = labelling_texts.by_id(connection, [one.id]) if comments is not None else []
    about = mentioned(connection, stored[0]) if stored else []
    return page(
        request,
        "document.html",
        file=file,
        one=one,
        text=marked(query, one.version.text) if query else _with_mentions(one, about),
        title=marked(query, one.version.title or ""),
        revisions=_revisions(file),
        comments=comments,
        most_comments=MOST_COMMENTS,
        before=before,
        can_explain=request.app.state.explanations is not None,
        classes=CLASSES,
        unsure_below=UNCERTAIN_BELOW,
        annotator=annotator_of(request),
        text_key=labelling.text_key(stored[0]) if stored else "",
        nonce=secrets.token_hex(8),
        back=document_url(one.id),
    )


@api.get("/facets")
def facets(request: Request, connection: Reading, view: Annotated[DocumentsView, Query()]) -> Facets:
    """How what `/documents` finds divides, over all its pages; with a text query or a watchlist of the newest."""
    console = console_of(request)
    return read_facets(connection, view, console.clock.now(), console.zone)


@api.get("/documents/{document_id:path}/why")
def explained(
    request: Request,
    connection: Reading,
    document_id: Id,
    head: Annotated[Head, Query(description="Which verdict.")] = "sentiment",
) -> Why:
    """The words behind a verdict; 503 while others are explained, 404 where no checkpoint is on this machine."""
    document = document_files.whole(connection, document_id)
    if document is None:
        raise HTTPException(404)
    connection.close()
    found, trouble = _explained(request, document, head)
    if found is None:
        is_for_now = trouble in ("busy", "slow", "failed")
        raise ProblemError(
            Problem(503 if is_for_now else 404, f"why_{trouble}", retry_after_seconds=BUSY_SECONDS * is_for_now)
        )
    return found


@api.get("/documents/{document_id:path}")
def one_document(connection: Reading, document_id: Id) -> DocumentFile:
    """One document with its versions, verdicts, copies, mentions, answers and incidents."""
    file = read_document(connection, document_id)
    if file is None:
        raise HTTPException(404)
    return file


def _explained(request: Request, document: WholeDocument, head: Head) -> tuple[Why | None, str]:
    """The explanation, or why there is none: `none`, `busy`, `slow`, `failed` or `away`."""
    explanations: Explanations | None = request.app.state.explanations
    if explanations is None:
        return None, "none"
    try:
        return explanations.of(document.version.model_version, document.version.read_text, head), ""
    except ExplainerBusyError:
        return None, "busy"
    except ExplanationTooLongError:
        return None, "slow"
    except ExplanationFailedError:
        return None, "failed"
    except NoCheckpointError:
        return None, "away"


def _with_mentions(document: WholeDocument, about: Sequence[Watchlist]) -> list[Piece]:
    """The text with the words of the watchlists that it mentions marked."""
    text = document.version.text
    return pieces(text, Watchlists(about).find(text, source=document.source, lang=document.lang), 0, len(text))


def _revisions(file: DocumentFile) -> list[dict[str, object]]:
    """Each version that was replaced, and what its successor changed; the newest first."""
    found = []
    after = file.document.version
    for before in file.earlier:
        counts = [
            (name, getattr(before, name), getattr(after, name))
            for name in ("likes", "reposts", "replies")
            if getattr(before, name) != getattr(after, name)
        ]
        found.append(
            {
                "before": before,
                "after": after,
                "title": changes(before.title or "", after.title or ""),
                "text": changes(before.text, after.text),
                "counts": counts,
                "is_verdict_changed": (before.sentiment, before.topic_label) != (after.sentiment, after.topic_label),
            }
        )
        after = before
    return found
