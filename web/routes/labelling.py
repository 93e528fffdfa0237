"""`/label`: one document after the other, answered by keyboard."""

import re
import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal
from urllib.parse import quote, unquote, urlencode

from fastapi import APIRouter, Query, Request
from starlette.responses import HTMLResponse, RedirectResponse

from core.taxonomy import CLASSES, HEADS, Head
from core.watchlist_entries import speakable
from storage import labelling_texts, people_verdicts
from storage.labelling_progress import answered
from storage.labelling_texts import Cursor, LabellingText
from web import labelling
from web.forms import Form
from web.highlighting import mentioned, title_and_text
from web.i18n import A_YEAR_SECONDS
from web.labelling import MAX_SECONDS, Offered, Sitting
from web.problems import Problem, ProblemError
from web.rendering import console_of, page
from web.roles import ANYONE, Annotator, person_of
from web.view import Name

NAME_COOKIE = "opinion_annotator"
MOST_NAME_CHARS = 100
KEYS: Mapping[Head, str] = {"sentiment": "123", "topic": "123456789ADFGHJKL"}
"""The key of each class, in the order of the classes: digits, then the letters that neither S nor U needs."""
OWN_PAGE = re.compile(r"/documents(/[\x21-\x3e\x40-\x7e]+)?(\?[\x21-\x7e]*)?")
"""Where a page of ours may lead back to; nothing that begins like the address of another site."""

Note = Literal["saved", "known", "skipped", "undone", "nothing_to_undo", "changed", "gone", "unanswered"]

router = APIRouter(include_in_schema=False)


@router.get("/label")
def show(
    request: Request,
    person: Annotator,
    document: Name = None,
    before: Name = None,
    back: Name = None,
    note: Annotated[Note | None, Query()] = None,
) -> HTMLResponse:
    """The next document, or the one that is asked for, with the classes to choose from.

    Args:
        before: the last of the newest documents that was skipped, as `published_at,id`.
        back: the page of documents from which somebody came to correct one.
    """
    console = console_of(request)
    now = console.clock.now()
    annotator = annotator_of(request)
    offered, pieces, parent, people, done, waiting = None, None, None, None, None, 0
    if annotator is not None:
        midnight = now.astimezone(console.zone).replace(hour=0, minute=0, second=0, microsecond=0)
        with console.engine.begin() as connection:  # a document of the queue is taken for a while
            if document is None:
                offered = labelling.next_document(connection, annotator, now, before=_cursor(before))
            elif found := labelling_texts.by_id(connection, [document]):
                offered = Offered(found[0])
            else:
                note = "gone"
            if offered:
                shown = offered.document
                pieces = title_and_text(shown, mentioned(connection, shown))
                parent = labelling_texts.parent_of(connection, shown)
                people = people_verdicts.of_documents(connection, [shown.document_id]).get(shown.document_id)
            done = answered(connection, annotator, midnight)
            waiting = labelling.waiting(connection)
    return page(
        request,
        "labelling.html",
        annotator=annotator,
        offered=offered,
        pieces=pieces,
        parent=parent,
        people=people,
        done=done,
        waiting=waiting,
        note=note,
        asked=document,
        before=before,
        back=back if back and OWN_PAGE.fullmatch(back) else None,
        keys=KEYS,
        classes=CLASSES,
        heads=("sentiment", "topic"),
        text_key=labelling.text_key(offered.document) if offered else "",
        guideline=request.app.state.guideline,
        nonce=secrets.token_hex(8),
    )


@router.post("/label")
def answer(request: Request, form: Form, person: Annotator) -> RedirectResponse:
    """Store the answers and go on. Sent twice it has no second effect; a text that has changed is shown again."""
    console = console_of(request)
    annotator = _needed_name(request)
    answers = _answers(form)
    before, back = form.get("before") or None, form.get("back") or None
    with console.engine.begin() as connection:
        document = _document(labelling_texts.by_id(connection, [form.get("document", "")]))
        if document is None:
            return _to(note="gone", before=before)
        if form.get("text_key") != labelling.text_key(document):
            return _to(note="changed", document=document.document_id, before=before, back=back)
        if not answers:
            return _to(note="unanswered", document=document.document_id, before=before, back=back)
        sitting = Sitting(
            annotator,
            request.app.state.guideline,
            console.clock.now(),
            form.get("nonce", "")[:100],
            _seconds(form.get("seconds", "")),
            bool(form.get("is_adjudication")),
        )
        new = labelling.answer(connection, document, answers, sitting)
    if back and OWN_PAGE.fullmatch(back):
        return RedirectResponse(back, status_code=303)
    return _to(note="saved" if new else "known", before=before)


@router.post("/label/skip")
def skip(request: Request, form: Form, person: Annotator) -> RedirectResponse:
    """Leave this document to others and go on."""
    annotator = _needed_name(request)
    with console_of(request).engine.begin() as connection:
        document = _document(labelling_texts.by_id(connection, [form.get("document", "")]))
        if document is None:
            return _to(note="gone", before=form.get("before") or None)
        labelling.skip(connection, document.document_id, annotator)
    at, key = document.cursor
    return _to(note="skipped", before=f"{at.isoformat()},{key}")


@router.post("/label/undo")
def undo(request: Request, form: Form, person: Annotator) -> RedirectResponse:
    """Take back the last answer and show its document again."""
    annotator = _needed_name(request)
    console = console_of(request)
    with console.engine.begin() as connection:
        document = labelling.undo(connection, annotator, console.clock.now())
    before = form.get("before") or None
    if document is None:
        return _to(note="nothing_to_undo", before=before)
    return _to(note="undone", document=document, before=before)


@router.post("/label/name")
def take_name(form: Form, person: Annotator) -> RedirectResponse:
    """Remember in a cookie who answers on this machine."""
    response = _to(document=form.get("document") or None, back=form.get("back") or None)
    name = form.get("name", "").strip()
    if not _is_name(name):
        raise ProblemError(Problem(422, "bad_query", f"name: 1 to {MOST_NAME_CHARS} characters in one line"))
    response.set_cookie(NAME_COOKIE, quote(name), max_age=A_YEAR_SECONDS, httponly=True, samesite="lax", path="/")
    return response


def annotator_of(request: Request) -> str | None:
    """Who answers: the person who is logged in; without accounts whoever this browser says, None if it has not."""
    if (person := person_of(request)) is not ANYONE:
        return person.name
    name = unquote(request.cookies.get(NAME_COOKIE, ""))
    return name if _is_name(name) else None


def _is_name(name: str) -> bool:
    try:
        return 0 < len(speakable(name)) <= MOST_NAME_CHARS and bool(name.strip())
    except ValueError:
        return False


def _needed_name(request: Request) -> str:
    name = annotator_of(request)
    if name is None:
        raise ProblemError(Problem(422, "bad_query", "nobody has said who answers: open /label"))
    return name


def _answers(form: Mapping[str, str]) -> dict[Head, str]:
    """Raises ProblemError for a class that there is not."""
    said = {head: form[head] for head in HEADS if form.get(head)}
    for head, choice in said.items():
        if choice not in CLASSES[head]:
            raise ProblemError(Problem(422, "bad_query", f"{head}: {choice[:40]!r} is not one of its classes"))
    return said


def _seconds(stated: str) -> float | None:
    try:
        seconds = float(stated)
    except ValueError:
        return None
    return seconds if 0 <= seconds <= MAX_SECONDS else None


def _document(found: list[LabellingText]) -> LabellingText | None:
    return found[0] if found else None


def _cursor(before: str | None) -> Cursor | None:
    at, _, key = (before or "").partition(",")
    try:
        seen_at = datetime.fromisoformat(at)
        return (seen_at, key) if seen_at.tzinfo and key else None
    except (ValueError, OverflowError):
        return None


def _to(**state: str | None) -> RedirectResponse:
    given = {name: value for name, value in state.items() if value}
    return RedirectResponse(f"/label?{urlencode(given)}" if given else "/label", status_code=303)
