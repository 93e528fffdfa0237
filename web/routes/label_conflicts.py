"""`/label/conflicts` and `/label/agreement`: where annotators differ, settled by keyboard; how far they agree."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import HTMLResponse, RedirectResponse

from core.taxonomy import CLASSES
from storage import label_queue, labelling_progress, labelling_texts, people_verdicts
from storage.adjudication import Conflict, settling
from storage.human_labels import NewLabel, Statement
from storage.labelling_progress import DayOfWork
from web.database import Reading
from web.forms import Form, see_other
from web.label_agreement import LabelAgreement
from web.problems import Problem, ProblemError
from web.rendering import console_of, page
from web.roles import ANYONE, Analyst, Annotator, Person
from web.routes.labelling import KEYS, annotator_of
from web.view import Name

SHOWN: Final = 50  # conflicts in the list
DAYS: Final = 14  # of progress

Note = Literal["settled", "known", "unanswered"]

router = APIRouter(include_in_schema=False)


@router.get("/label/conflicts")
def conflicts_page(
    request: Request,
    person: Annotator,
    connection: Reading,
    text: Name = None,
    after: Name = None,
    note: Annotated[Note | None, Query()] = None,
) -> HTMLResponse:
    """One question that people answer differently, and the list of the others.

    Args:
        text: the one to show, `KEY,HEAD`.
        after: the one that was skipped; the next comes, and after the last the first.
    """
    waiting = _agreement(request).at(connection).open
    shown = _chosen(waiting, text, after)
    document = None
    if shown is not None and shown.document_id is not None:
        document = next(iter(labelling_texts.by_id(connection, [shown.document_id])), None)
    return page(
        request,
        "label_conflicts.html",
        conflicts=waiting[:SHOWN],
        waiting=len(waiting),
        shown=shown,
        position=waiting.index(shown) + 1 if shown else 0,
        document=document,
        note=note,
        keys=KEYS,
        classes=CLASSES,
        name_of_text=_name,
        may_settle=person.may("analyst"),
    )


@router.post("/label/conflicts")
def settle(request: Request, person: Analyst, form: Form) -> RedirectResponse:
    """Settle one: this answer wins over the others, and a later one over it. Sent twice it has no second effect."""
    console = console_of(request)
    with console.engine.begin() as connection:
        standing = _agreement(request).at(connection)
        conflict = next((one for one in standing.open if _name(one) == form.get("text")), None)
        if conflict is None:
            return see_other("/label/conflicts", note="known")
        answer = form.get(conflict.head, "")
        if not answer:
            return see_other("/label/conflicts", note="unanswered", text=_name(conflict))
        if answer not in CLASSES[conflict.head]:
            raise ProblemError(Problem(422, "bad_query", f"{conflict.head}: not one of its classes"))
        about = NewLabel(*conflict.about[1:10])
        said = Statement(
            conflict.head,
            answer,
            None,
            None,
            about.lang,
            about.source,
            _settler(request, person),
            console.clock.now(),
            guideline=request.app.state.guideline,
            intake="console",
            is_adjudication=True,
        )
        people_verdicts.record(connection, [settling(about, said)])
        _agreement(request).settled(connection, standing, conflict)
    return see_other("/label/conflicts", note="settled")


@router.post("/label/conflicts/skip")
def skip(person: Annotator, form: Form) -> RedirectResponse:
    """Leave it and go on to the next."""
    return see_other("/label/conflicts", after=form.get("document", ""))


@router.get("/label/agreement")
def agreement_page(request: Request, person: Annotator, connection: Reading) -> HTMLResponse:
    """How far annotators agree, who has answered how much, and what waits in the queue."""
    console = console_of(request)
    now = console.clock.now()
    standing = _agreement(request).at(connection)
    midnight = now.astimezone(console.zone).replace(hour=0, minute=0, second=0, microsecond=0)
    since = midnight - timedelta(days=DAYS - 1)
    days = [since.date() + timedelta(days=nth) for nth in range(DAYS)]
    return page(
        request,
        "label_agreement.html",
        together=standing.together,
        pairs=standing.pairs,
        waiting=len(standing.open),
        days=days,
        people=_by_person(labelling_progress.by_day(connection, since, str(console.zone)), days),
        queue=label_queue.progress(connection, now),
    )


def _agreement(request: Request) -> LabelAgreement:
    kept: LabelAgreement = request.app.state.label_agreement
    return kept


def _name(conflict: Conflict) -> str:
    """What the address calls it."""
    return f"{conflict.key.hex()},{conflict.head}"


def _chosen(waiting: Sequence[Conflict], text: str | None, after: str | None) -> Conflict | None:
    names = [_name(one) for one in waiting]
    if text in names:
        return waiting[names.index(text)]
    if after in names:
        return waiting[(names.index(after) + 1) % len(waiting)]
    return waiting[0] if waiting else None


def _settler(request: Request, person: Person) -> str:
    """Where the console has no accounts, the name that stands on the labelling page."""
    return person.name if person != ANYONE else annotator_of(request) or person.name


def _by_person(work: Sequence[DayOfWork], days: Sequence[date]) -> list[tuple[str, list[int], int]]:
    """Each person's answers on each of the days, and in all of them; who did most first."""
    found: dict[str, dict[date, int]] = {}
    for one in work:
        found.setdefault(one.annotator, {})[one.day] = one.answers
    counted = [(name, [by_day.get(day, 0) for day in days]) for name, by_day in found.items()]
    return sorted(((name, counts, sum(counts)) for name, counts in counted), key=lambda one: (-one[2], one[0]))
