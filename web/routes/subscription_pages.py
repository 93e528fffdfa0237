"""`/subscriptions`: who hears of what and when, edited with a preview of who would have heard of what there was."""

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query, Request
from pydantic import ValidationError
from sqlalchemy import Connection
from starlette.responses import HTMLResponse, Response

from alerts.asking import ask_of_past
from alerts.detection.rules import SEVERITIES
from alerts.routing.retold import Retold
from alerts.routing.subscriptions import ALL, Definition, Entry, definition_of, ready, subscription_of
from core.errors import NotFoundError, UsageError
from storage import subscriptions
from storage.subscriptions import StoredSubscription
from web.database import Reading
from web.editing import Fault, Faults, Form, faults_of, given, lines, ticked, to_try
from web.forms import EditorForm, see_other
from web.problems import Problem, ProblemError
from web.rendering import console_of, page
from web.roles import Analyst, person_of
from web.view import Name

FIELDS: Final = (
    "name", "who", "match", "min_severity", "wait", "group_by", "remind", "quiet-hours", "quiet-zone", "escalate",
    "digest-daily", "digest-weekly", "instant", "language",
)  # fmt: skip
PARTS: Final = {"quiet": ("hours", "zone"), "digest": ("daily", "weekly")}
PAST_INCIDENTS: Final = 20

Note = Literal["saved", "removed"]

router = APIRouter(include_in_schema=False)


@router.get("/subscriptions")
def list_page(
    request: Request, connection: Reading, note: Annotated[Note | None, Query()] = None, about: Name = None
) -> HTMLResponse:
    """All of them; while there is none, every receiver hears of everything."""
    found = [(row, _entry(row)) for row in subscriptions.known(connection)]
    return page(
        request,
        "subscriptions.html",
        subscriptions=found,
        receivers=request.app.state.receivers,
        note=note,
        about=about,
    )


@router.get("/subscriptions/new")
def new_page(request: Request) -> HTMLResponse:
    """A form with what is usual."""
    zone = str(console_of(request).zone)
    return _form_page(request, {**_form_of(Definition(who=[ALL]), ()), "name": "", "quiet-zone": zone})


@router.get("/subscriptions/edit")
def edit_page(request: Request, connection: Reading, name: Name = None) -> HTMLResponse:
    """One subscription as it is, to change."""
    row = _stored(connection, name or "")
    if row is None:
        raise ProblemError(Problem(404, "not_found"))
    entry = _entry(row)
    names = [receiver for _, receiver in request.app.state.receivers]
    form = _form_of(entry or Definition(who=[ALL]), names)
    return _form_page(request, {**form, "was": row.name, "name": row.name}, stored=row)


@router.post("/subscriptions/preview")
def preview(request: Request, person: Analyst, connection: Reading, form: EditorForm) -> HTMLResponse:
    """The same form with who would have heard of the newest incidents, when, and why not."""
    row = _stored(connection, form.get("was", ""))
    wanted, faults = _read(request, to_try(form), row)
    past = None
    if wanted is not None:
        past = ask_of_past(connection, ready(wanted), request.app.state.receivers, PAST_INCIDENTS)
    return _form_page(request, form, stored=row, faults=faults, past=past)


@router.post("/subscriptions/save")
def save(request: Request, person: Analyst, form: EditorForm) -> Response:
    """Make it, or change what it is. One that is there keeps its name."""
    with console_of(request).engine.begin() as connection:
        row = _stored(connection, form.get("was", ""))
        wanted, faults = _read(request, form, row)
        if wanted is not None and row is None and _stored(connection, wanted.name):
            faults = {"name": [Fault("taken")]}
        if wanted is None or faults:
            return _form_page(request, form, stored=row, faults=faults, is_refused=True)
        subscriptions.put(connection, [(wanted.name, definition_of(wanted))], by=person.name)
    return see_other("/subscriptions", note="saved", about=wanted.name)


@router.post("/subscriptions/remove")
def remove(request: Request, person: Analyst, form: EditorForm) -> Response:
    """End it."""
    name = form.get("was", "")
    with console_of(request).engine.begin() as connection:
        subscriptions.remove(connection, name)
    return see_other("/subscriptions", note="removed", about=name)


def _form_page(
    request: Request,
    form: Form,
    *,
    stored: StoredSubscription | None = None,
    faults: Faults | None = None,
    is_refused: bool = False,
    past: Sequence[Retold] | None = None,
) -> HTMLResponse:
    problem = None
    if stored is not None:
        try:
            subscription_of(stored.name, stored.definition)
        except UsageError as error:
            problem = error.message
    return page(
        request,
        "subscription.html",
        status_code=422 if is_refused else 200,
        form=form,
        fields=FIELDS,
        faults=faults or {},
        is_refused=is_refused,
        is_locked=not person_of(request).may("analyst"),
        stored=stored,
        problem=problem,
        past=past,
        most_past=PAST_INCIDENTS,
        receivers=request.app.state.receivers,
        severities=SEVERITIES,
    )


def _read(request: Request, form: Form, row: StoredSubscription | None) -> tuple[Entry | None, Faults]:
    """The subscription that a form makes, else what is wrong with it."""
    names = [ALL, *(name for _, name in request.app.state.receivers)]
    body: dict[str, Any] = given(form, "min_severity", "wait", "remind", "language")
    body |= {"name": row.name if row else form.get("name", ""), "instant": bool(form.get("instant"))}
    body |= {"who": [*ticked(form, "who", names), *lines(form, "who")]}
    body |= {"match": lines(form, "match"), "group_by": lines(form, "group_by")}
    for part, fields in PARTS.items():
        body[part] = {name: value for name in fields if (value := form.get(f"{part}-{name}", "").strip())}
    body["quiet"] |= {"weekends": bool(form.get("weekends")), "critical_passes": bool(form.get("critical_passes"))}
    body["escalate"] = [_step(line) for line in lines(form, "escalate")]
    try:
        return Entry.model_validate(body), {}
    except ValidationError as error:
        found = dict(faults_of(error))
        steps = [name for name in found if name.startswith("escalate-")]
        if steps:
            found["escalate"] = [Fault("form.escalate", found[steps[0]][0].line)]
        return None, {name: said for name, said in found.items() if name not in steps}


def _step(line: str) -> dict[str, Any]:
    """`15m: desk, chat`"""
    after, _, to = line.partition(":")
    return {"after": after.strip(), "to": [name.strip() for name in to.split(",") if name.strip()]}


def _form_of(said: Definition, receivers: Sequence[str]) -> dict[str, str]:
    """What stands in the fields; receivers that the settings do not have stand in a field of their own."""
    form = {
        "match": "\n".join(said.match),
        "min_severity": said.min_severity,
        "wait": said.wait,
        "group_by": "\n".join(said.group_by),
        "remind": said.remind,
        "quiet-hours": said.quiet.hours,
        "quiet-zone": said.quiet.zone,
        "weekends": "1" if said.quiet.weekends else "",
        "critical_passes": "1" if said.quiet.critical_passes else "",
        "escalate": "\n".join(f"{one.after}: {', '.join(one.to)}" for one in said.escalate),
        "digest-daily": said.digest.daily,
        "digest-weekly": said.digest.weekly,
        "instant": "1" if said.instant else "",
        "language": said.language or "",
        "who": "\n".join(name for name in said.who if name != ALL and name not in receivers),
    }
    return form | {f"who.{name}": "1" for name in said.who if name == ALL or name in receivers}


def _stored(connection: Connection, name: str) -> StoredSubscription | None:
    try:
        return subscriptions.one(connection, name) if name else None
    except NotFoundError:
        return None


def _entry(row: StoredSubscription) -> Entry | None:
    """None where it cannot be used; SQL may hold anything."""
    try:
        return Entry.model_validate({**row.definition, "name": row.name})
    except (ValidationError, TypeError):
        return None
