"""`/rules`: what is judged as a surge, edited with a live preview of what would have fired."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import HTMLResponse, Response

from alerts.detection.detectors import THRESHOLDS
from alerts.detection.rules import DEFAULT_RULES, SEVERITIES
from alerts.rulebook.entries import definition_of
from alerts.rulebook.merging import Rulebook, rulebook
from core.errors import UsageError
from core.taxonomy import TOPICS
from storage import feedback, rules
from storage.feedback import Precision
from web.database import Reading
from web.editing import Fault, Faults, Form, given, to_try
from web.forms import EditorForm, see_other
from web.laboratory import TRIED_SERIES
from web.problems import Problem, ProblemError
from web.rendering import console_of, page
from web.roles import Analyst, person_of
from web.rule_forms import DAYS, DIMENSIONS, KINDS, budget_of, form_of, form_of_rule, is_locked, read
from web.rule_history import Change, changes_of
from web.rule_trials import Tried, try_beside
from web.view import Name

FIELDS: Final = (
    "name", "group_by", "counted", "watchlist", "topic", "source", "lang", "kind", "sensitivity", "threshold",
    "min_per_hour", "severity_at_least", "severity_at_most", "messages_per_week",
)  # fmt: skip
SHOWN: Final = 30  # incidents of a trial
DEFAULTS: Final = frozenset(rule.name for rule in DEFAULT_RULES)

Note = Literal["saved", "removed", "switched"]

router = APIRouter(include_in_schema=False)


@router.get("/rules")
def list_page(
    request: Request, connection: Reading, note: Annotated[Note | None, Query()] = None, about: Name = None
) -> HTMLResponse:
    """The rules that hold, those that are built in first."""
    book, said = rulebook(connection), feedback.precision_by_rule(connection)
    found = [(name, book.rules.get(name), said.get(name, Precision())) for name in book.names]
    return page(request, "rules.html", book=book, rules=found, note=note, about=about)


@router.get("/rules/new")
def new_page(request: Request) -> HTMLResponse:
    """An empty form."""
    return _form_page(request, {**form_of({}), "name": ""})


@router.get("/rules/edit")
def edit_page(
    request: Request, connection: Reading, name: Name = None, note: Annotated[Note | None, Query()] = None
) -> HTMLResponse:
    """One rule as it is, to change; read-only where the rules file owns it."""
    book = rulebook(connection)
    if name not in book.names:
        raise ProblemError(Problem(404, "not_found"))
    return _form_page(request, form_of_rule(book, name), book=book, history=changes_of(connection, name), note=note)


@router.post("/rules/preview")
def preview(request: Request, person: Analyst, connection: Reading, form: EditorForm) -> HTMLResponse:
    """The same form with what would have fired; `find` asks for the least threshold that keeps a budget."""
    book, was = rulebook(connection), form.get("was", "")
    if is_locked(book, was):
        form = {**form_of_rule(book, was), **given(form, "days")}
    wanted, faults = read(to_try(form), was)
    budget = None
    if form.get("find"):
        budget, wrong = budget_of(form)
        faults = {**faults, **wrong}
    if wanted is None or faults:
        return _form_page(request, form, book=book, history=changes_of(connection, was), faults=faults)
    days = int(form["days"]) if form.get("days") in DAYS else int(DAYS[0])
    tried = try_beside(request, connection, wanted, book.rules.get(was), days=days, messages_per_week=budget)
    if tried.new.keeps_budget:
        form = {**form, "sensitivity": "", "threshold": f"{tried.new.threshold:g}"}
    history = changes_of(connection, was)
    return _form_page(request, form, book=book, history=history, tried=tried, is_found=budget is not None)


@router.post("/rules/save")
def save(request: Request, person: Analyst, form: EditorForm) -> Response:
    """Judge by it from now on. One that is there keeps its name."""
    was = form.get("was", "")
    wanted, faults = read(form, was)
    with console_of(request).engine.begin() as connection:
        book = rulebook(connection)
        if wanted is not None and not was and wanted.name in book.names:
            faults = {"name": [Fault("taken")]}
        if wanted is not None and not faults:
            try:
                rules.put(connection, {wanted.name: definition_of(wanted)}, by=person.name)
            except UsageError as error:
                faults = {"name": [Fault("owned", values={"cause": error.message})]}
        if wanted is None or faults:
            return _form_page(
                request,
                form,
                book=book,
                history=changes_of(connection, was),
                faults=faults,
                is_refused=True,
            )
    return see_other("/rules", note="saved", about=wanted.name)


@router.post("/rules/switch")
def switch(request: Request, person: Analyst, form: EditorForm) -> Response:
    """Switch a rule off, or on again; everything else of it stays."""
    name = form.get("was", "")
    with console_of(request).engine.begin() as connection:
        rule = rulebook(connection).rule(name)
        changed = replace(rule, is_enabled=not rule.is_enabled)
        _if_ours(lambda: rules.put(connection, {name: definition_of(changed)}, by=person.name))
    return see_other("/rules/edit", name=name, note="switched")


@router.post("/rules/remove")
def remove(request: Request, person: Analyst, form: EditorForm) -> Response:
    """Judge by it no longer; a built-in rule that people had changed is again as it came."""
    name = form.get("was", "")
    with console_of(request).engine.begin() as connection:
        _if_ours(lambda: rules.remove(connection, name, by=person.name))
    return see_other("/rules", note="removed", about=name)


def _if_ours(change: Any) -> None:
    try:
        change()
    except UsageError as error:
        raise ProblemError(Problem(409, "rule_not_yours", error.message)) from error


def _form_page(
    request: Request,
    form: Form,
    *,
    book: Rulebook | None = None,
    history: Sequence[Change] = (),
    faults: Faults | None = None,
    is_refused: bool = False,
    tried: Tried | None = None,
    is_found: bool = False,
    note: Note | None = None,
) -> HTMLResponse:
    was = form.get("was", "")
    return page(
        request,
        "rule.html",
        status_code=422 if is_refused else 200,
        form=form,
        fields=FIELDS,
        faults=faults or {},
        is_refused=is_refused,
        was=was,
        is_locked=not person_of(request).may("analyst") or (book is not None and is_locked(book, was)),
        row=book.stored.get(was) if book else None,
        is_default=was in DEFAULTS,
        is_on=book.rules[was].is_enabled if book and was in book.rules else None,
        problem=book.unusable.get(was) if book else None,
        history=history,
        tried=tried,
        is_found=is_found,
        note=note,
        dimensions=DIMENSIONS,
        kinds=KINDS,
        topics=TOPICS,
        severities=SEVERITIES,
        thresholds=THRESHOLDS,
        usual=request.app.state.detector,
        days=DAYS,
        most_series=TRIED_SERIES,
        most_shown=SHOWN,
    )
