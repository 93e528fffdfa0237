"""`/rules`: what is judged as a surge, edited with a live preview of what would have fired."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Literal, get_args
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from pydantic import ValidationError
from sqlalchemy import Connection
from starlette.responses import HTMLResponse, RedirectResponse, Response

from alerts.detection.detectors import THRESHOLDS
from alerts.detection.rules import DEFAULT_RULES, SEVERITIES, Dimension, Rule
from alerts.rulebook.entries import RuleDefinition, RuleEntry, definition_of
from alerts.rulebook.laboratory import Trial, TrialIncident
from alerts.rulebook.merging import Rulebook, rulebook
from core.errors import UsageError
from core.taxonomy import TOPICS
from storage import feedback, rules
from storage.feedback import Precision
from storage.rules import RuleChange
from web import trial_chart
from web.database import Reading
from web.editing import Fault, Faults, Form, faults_of, given, lines, ticked, to_try
from web.forms import EditorForm
from web.laboratory import TRIED_SERIES, reserved, trial_of
from web.problems import Problem, ProblemError
from web.rendering import console_of, page
from web.roles import Analyst, person_of
from web.view import Name

DIMENSIONS: Final[tuple[Dimension, ...]] = get_args(Dimension)
KINDS: Final = ("news", "post", "comment")
FIELDS: Final = (
    "name", "group_by", "counted", "watchlist", "topic", "source", "lang", "kind", "sensitivity", "threshold",
    "min_per_hour", "severity_at_least", "severity_at_most", "messages_per_week",
)  # fmt: skip
DAYS: Final = ("7", "14", "28")
SHOWN: Final = 30  # incidents of a trial
NEAR: Final = timedelta(hours=1)  # surges of one series that are no further apart are the same
WAIT_SECONDS: Final = 8.0  # for the trial of what was typed a moment ago
MOST_MESSAGES: Final = 100_000.0
DEFAULTS: Final = frozenset(rule.name for rule in DEFAULT_RULES)

Note = Literal["saved", "removed", "switched"]

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Tried:
    """What a preview shows.

    Attributes:
        new: the rule of the form; `holds`: the one of its name that holds, None where there is none.
        incidents: of both, newest first, each with the sides that have it.
    """

    new: Trial
    holds: Trial | None
    incidents: Sequence[tuple[TrialIncident, Literal["both", "new", "holds"]]]
    picture: trial_chart.Picture

    @property
    def is_unchanged(self) -> bool:
        """Whether the form says what holds already."""
        return self.new is self.holds


@dataclass(frozen=True, slots=True)
class Change:
    """One line of a rule's history; `fields`: what was otherwise before, and what it was made."""

    line: RuleChange
    fields: Sequence[tuple[str, Any, Any]]


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
    return _form_page(request, {**_form_of({}), "name": ""})


@router.get("/rules/edit")
def edit_page(
    request: Request, connection: Reading, name: Name = None, note: Annotated[Note | None, Query()] = None
) -> HTMLResponse:
    """One rule as it is, to change; read-only where the rules file owns it."""
    book = rulebook(connection)
    if name not in book.names:
        raise ProblemError(Problem(404, "not_found"))
    return _form_page(request, _form_of_rule(book, name), book=book, history=_history(connection, name), note=note)


@router.post("/rules/preview")
def preview(request: Request, person: Analyst, connection: Reading, form: EditorForm) -> HTMLResponse:
    """The same form with what would have fired; `find` asks for the least threshold that keeps a budget."""
    book, was = rulebook(connection), form.get("was", "")
    if _is_locked(book, was):
        form = {**_form_of_rule(book, was), **given(form, "days")}
    wanted, faults = _read(to_try(form), was)
    budget = None
    if form.get("find"):
        budget, wrong = _budget(form)
        faults = {**faults, **wrong}
    if wanted is None or faults:
        return _form_page(request, form, book=book, history=_history(connection, was), faults=faults)
    days = int(form["days"]) if form.get("days") in DAYS else int(DAYS[0])
    with reserved(WAIT_SECONDS):
        new = trial_of(request, connection, wanted, days=days, messages_per_week=budget)
        if new.keeps_budget:
            form = {**form, "sensitivity": "", "threshold": f"{new.threshold:g}"}
            wanted = replace(wanted, sensitivity=None, threshold=new.threshold)
        present = book.rules.get(was)
        holds = None
        if present is not None and present.is_enabled:
            is_same = replace(present, is_enabled=True) == replace(wanted, is_enabled=True)
            holds = new if is_same else trial_of(request, connection, present, days=days)
    zone = console_of(request).zone
    tried = Tried(new, holds, _side_by_side(new, holds), trial_chart.picture(connection, wanted, new, holds, zone))
    history = _history(connection, was)
    return _form_page(request, form, book=book, history=history, tried=tried, is_found=budget is not None)


@router.post("/rules/save")
def save(request: Request, person: Analyst, form: EditorForm) -> Response:
    """Judge by it from now on. One that is there keeps its name."""
    was = form.get("was", "")
    wanted, faults = _read(form, was)
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
                request, form, book=book, history=_history(connection, was), faults=faults, is_refused=True
            )
    return _to("/rules", note="saved", about=wanted.name)


@router.post("/rules/switch")
def switch(request: Request, person: Analyst, form: EditorForm) -> Response:
    """Switch a rule off, or on again; everything else of it stays."""
    name = form.get("was", "")
    with console_of(request).engine.begin() as connection:
        rule = rulebook(connection).rule(name)
        changed = replace(rule, is_enabled=not rule.is_enabled)
        _if_ours(lambda: rules.put(connection, {name: definition_of(changed)}, by=person.name))
    return _to("/rules/edit", name=name, note="switched")


@router.post("/rules/remove")
def remove(request: Request, person: Analyst, form: EditorForm) -> Response:
    """Judge by it no longer; a built-in rule that people had changed is again as it came."""
    name = form.get("was", "")
    with console_of(request).engine.begin() as connection:
        _if_ours(lambda: rules.remove(connection, name, by=person.name))
    return _to("/rules", note="removed", about=name)


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
        is_locked=not person_of(request).may("analyst") or (book is not None and _is_locked(book, was)),
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


def _read(form: Form, was: str) -> tuple[Rule | None, Faults]:
    """The rule that a form makes, else what is wrong with it."""
    body: dict[str, Any] = given(
        form, "counted", "sensitivity", "threshold", "min_per_hour", "severity_at_least", "severity_at_most"
    )
    body |= {"name": was or form.get("name", ""), "enabled": bool(form.get("enabled"))}
    body |= {"group_by": ticked(form, "group_by", DIMENSIONS), "kind": ticked(form, "kind", KINDS)}
    body |= {name: lines(form, name) for name in ("watchlist", "source", "lang")}
    body["topic"] = [*ticked(form, "topic", TOPICS), *lines(form, "topic")]
    try:
        entry = RuleEntry.model_validate(body)
    except ValidationError as error:
        return None, faults_of(error)
    return entry.named(entry.name), {}


def _budget(form: Form) -> tuple[float | None, Faults]:
    """Messages a week."""
    try:
        budget = float(form.get("messages_per_week", ""))
    except ValueError:
        return None, {"messages_per_week": [Fault("number")]}
    if not 0 <= budget <= MOST_MESSAGES:
        return None, {"messages_per_week": [Fault("number")]}
    return budget, {}


def _form_of(definition: Any) -> dict[str, str]:
    """What stands in the fields for a definition; one that says nothing usable gives the usual."""
    try:
        said = RuleDefinition.model_validate(definition)
    except ValidationError:
        said = RuleDefinition()
    form = {
        "counted": said.counted,
        "sensitivity": said.sensitivity or "",
        "threshold": "" if said.threshold is None else f"{said.threshold:g}",
        "min_per_hour": str(said.min_per_hour or ""),
        "severity_at_least": said.severity_at_least,
        "severity_at_most": said.severity_at_most,
        "enabled": "1" if said.enabled else "",
        "topic": "\n".join(one for one in said.topic if one not in TOPICS),
        "days": DAYS[0],
    }
    form |= {name: "\n".join(getattr(said, name)) for name in ("watchlist", "source", "lang")}
    form |= {f"group_by.{one}": "1" for one in said.group_by} | {f"kind.{one}": "1" for one in said.kind}
    return form | {f"topic.{one}": "1" for one in said.topic if one in TOPICS}


def _form_of_rule(book: Rulebook, name: str) -> dict[str, str]:
    row = book.stored.get(name)
    definition = row.definition if row is not None else definition_of(book.rules[name])
    return {**_form_of(definition), "was": name, "name": name}


def _is_locked(book: Rulebook, name: str) -> bool:
    row = book.stored.get(name)
    return row is not None and row.file is not None


def _side_by_side(new: Trial, holds: Trial | None) -> list[tuple[TrialIncident, Literal["both", "new", "holds"]]]:
    others = list(holds.incidents) if holds else []
    found: list[tuple[TrialIncident, Literal["both", "new", "holds"]]] = []
    for one in new.incidents:
        same = next((other for other in others if _are_same(one, other)), None)
        if same is not None:
            others.remove(same)
        found.append((one, "both" if same is not None or holds is new else "new"))
    found += [(other, "holds") for other in others if holds is not new]
    return sorted(found, key=lambda pair: pair[0].starts_at, reverse=True)


def _are_same(one: TrialIncident, other: TrialIncident) -> bool:
    def ends(incident: TrialIncident) -> datetime:
        return incident.ends_at or datetime.max.replace(tzinfo=incident.starts_at.tzinfo) - NEAR

    return (
        one.labels == other.labels
        and one.starts_at <= ends(other) + NEAR
        and other.starts_at <= ends(one) + NEAR
    )  # fmt: skip


def _history(connection: Connection, name: str) -> list[Change]:
    """Who made it what, newest first, each with what was otherwise before."""
    found = rules.history(connection, name) if name else []
    older: list[Any] = [one.definition for one in found[1:]] + [None]
    return [Change(one, _difference(before, one.definition)) for one, before in zip(found, older, strict=True)]


def _difference(before: Any, after: Any) -> list[tuple[str, Any, Any]]:
    old, new = (one if isinstance(one, dict) else {} for one in (before, after))
    names = [name for name in RuleDefinition.model_fields if name in old or name in new]
    return [(name, old.get(name), new.get(name)) for name in names if old.get(name) != new.get(name)]


def _to(path: str, **state: str) -> RedirectResponse:
    return RedirectResponse(f"{path}?{urlencode(state)}", status_code=303)
