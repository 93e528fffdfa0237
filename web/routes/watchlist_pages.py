"""`/watchlists`: what is watched, edited with a live preview of what it would match."""

from datetime import timedelta
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query, Request
from pydantic import ValidationError
from sqlalchemy import Connection
from starlette.responses import HTMLResponse, Response

from core.errors import NotFoundError, UsageError
from core.watchlist_entries import Entry, watchlist_of
from core.watchlists import Watchlist
from storage import watchlists
from storage.queries import freshness
from storage.watchlist_shares import shares
from storage.watchlists import StoredWatchlist
from web import backfills, watchlist_trials
from web.database import Reading
from web.editing import Fault, Faults, Form, faults_of, lines, to_try
from web.forms import EditorForm, see_other
from web.problems import Problem, ProblemError
from web.rendering import console_of, page
from web.roles import Analyst, person_of
from web.view import Name, View, window_of

LISTS: Final = ("any", "must", "exclude", "sources", "langs")
FIELDS: Final = ("name", *LISTS, "query")
MOST_LISTED: Final = 200  # there may be thousands, and each takes a look-up
BACKFILL_DAYS: Final = (1, 7, 30, 365, 0)  # how far back; 0: everything

Note = Literal["saved", "removed", "backfill"]

router = APIRouter(include_in_schema=False)


@router.get("/watchlists")
def list_page(
    request: Request,
    connection: Reading,
    view: Annotated[View, Query()],
    note: Annotated[Note | None, Query()] = None,
    about: Name = None,
    find: Name = None,
) -> HTMLResponse:
    """What is watched, and how much is said of it.

    Args:
        about: names the one that a note is about.
        find: a part of the names to show; of more than `MOST_LISTED` the first by name.
    """
    console = console_of(request)
    now = console.clock.now()
    window = window_of(view, freshness(connection), now, console.zone)
    everything = watchlists.active(connection)
    wanted = [row for row in everything if (find or "").casefold() in row.name.casefold()]
    rows = wanted[:MOST_LISTED]
    counted = shares(connection, [row.name for row in rows], window.span)
    return page(
        request,
        "watchlists.html",
        view=view,
        window=window,
        watched=[(row, _problem(row), counted[row.name]) for row in rows],
        at_work=backfills.standing(connection, now),
        find=find,
        found=len(wanted),
        count=len(everything),
        note=note,
        about=about,
    )


@router.get("/watchlists/new")
def new_page(request: Request, name: Name = None, word: Name = None) -> HTMLResponse:
    """An empty form, or one with a name and a first word in it, for links from elsewhere."""
    return _form_page(request, {"name": name or "", "any": word or ""})


@router.get("/watchlists/edit")
def edit_page(
    request: Request, connection: Reading, name: Name = None, note: Annotated[Note | None, Query()] = None
) -> HTMLResponse:
    """One watchlist as it is, to change; read-only where the watchlist file owns it."""
    row = _stored(connection, name or "")
    if row is None:
        raise ProblemError(Problem(404, "not_found"))
    return _form_page(request, _form_of(row), stored=row, note=note, **_backfill(request, connection, row))


@router.post("/watchlists/preview")
def preview(request: Request, person: Analyst, connection: Reading, form: EditorForm) -> HTMLResponse:
    """The same form with what it would match; htmx takes the preview and what is wrong out of it."""
    row = _stored(connection, form.get("was", ""))
    said: Form = form if row is None else {**form, "name": row.name}
    if row is not None and row.file is not None:
        said = _form_of(row)
    wanted, faults = _read(to_try(said))
    trial = None
    if wanted is not None:
        trial = watchlist_trials.try_watchlist(connection, wanted, _usable(row))
    more = _backfill(request, connection, row) if row else {}
    return _form_page(request, said, stored=row, faults=faults, trial=trial, **more)


@router.post("/watchlists/save")
def save(request: Request, person: Analyst, form: EditorForm) -> Response:
    """Watch it so from now on; workers follow within seconds. One that is there keeps its name."""
    with console_of(request).engine.begin() as connection:
        row = _stored(connection, form.get("was", ""))
        wanted, faults = _read(form if row is None else {**form, "name": row.name})
        if wanted is not None:
            if row is None and _stored(connection, wanted.name):
                faults = {"name": [Fault("taken")]}
            else:
                try:
                    watchlists.put(connection, [wanted], by=person.name)
                except UsageError as error:
                    faults = {"name": [Fault("owned", values={"cause": error.message})]}
        if wanted is None or faults:
            return _form_page(request, form, stored=row, faults=faults, is_refused=True)
    return see_other("/watchlists", note="saved", about=wanted.name)


@router.post("/watchlists/remove")
def remove(request: Request, person: Analyst, form: EditorForm) -> Response:
    """Watch it no longer."""
    name = form.get("was", "")
    with console_of(request).engine.begin() as connection:
        try:
            watchlists.remove(connection, name, by=person.name)
        except UsageError as error:
            raise ProblemError(Problem(409, "owned_by_file", error.message)) from error
    return see_other("/watchlists", note="removed", about=name)


@router.post("/watchlists/backfill")
def backfill(request: Request, person: Analyst, connection: Reading, form: EditorForm) -> Response:
    """Look for it in what is stored already."""
    row = watchlists.one(connection, form.get("was", ""))
    runs: backfills.Backfills | None = request.app.state.backfills
    if runs is None or _usable(row) is None:
        raise ProblemError(Problem(409, "not_possible", f"opinion watch backfill {row.name!r}"))
    days = form.get("days", "")
    if days not in map(str, BACKFILL_DAYS):
        raise ProblemError(Problem(422, "bad_query", "days"))
    now = console_of(request).clock.now().replace(second=0, microsecond=0)
    runs.start(row.name, now - timedelta(days=int(days)) if int(days) else None)
    return see_other("/watchlists/edit", name=row.name, note="backfill")


def _form_page(
    request: Request,
    form: Form,
    *,
    stored: StoredWatchlist | None = None,
    faults: Faults | None = None,
    is_refused: bool = False,
    trial: watchlist_trials.Trial | None = None,
    note: Note | None = None,
    backfill: backfills.BackfillView | None = None,
) -> HTMLResponse:
    return page(
        request,
        "watchlist.html",
        status_code=422 if is_refused else 200,
        form=form,
        fields=FIELDS,
        faults=faults or {},
        is_refused=is_refused,
        stored=stored,
        is_locked=not person_of(request).may("analyst") or (stored is not None and stored.file is not None),
        trial=trial,
        note=note,
        backfill=backfill,
        can_backfill=request.app.state.backfills is not None,
        backfill_days=BACKFILL_DAYS,
    )


def _backfill(request: Request, connection: Connection, row: StoredWatchlist) -> dict[str, Any]:
    now = console_of(request).clock.now()
    return {"backfill": backfills.of_one(connection, request.app.state.backfills, row.name, now)}


def _read(form: Form) -> tuple[Watchlist | None, Faults]:
    """The watchlist that a form makes, else what is wrong with it."""
    body: dict[str, Any] = {name: lines(form, name) for name in LISTS}
    body |= {"name": form.get("name", ""), "query": " ".join(lines(form, "query"))}
    try:
        return Entry.model_validate(body).watchlist(), {}
    except ValidationError as error:
        return None, faults_of(error)


def _form_of(row: StoredWatchlist) -> Form:
    """What stands in the fields for a stored one; SQL may hold anything."""
    definition = row.definition if isinstance(row.definition, dict) else {}
    form = {"was": row.name, "name": row.name, "query": str(definition.get("query", ""))}
    for name in LISTS:
        values = definition.get(name, [])
        form[name] = "\n".join(map(str, values)) if isinstance(values, list) else str(values)
    return form


def _stored(connection: Connection, name: str) -> StoredWatchlist | None:
    try:
        return watchlists.one(connection, name) if name else None
    except NotFoundError:
        return None


def _usable(row: StoredWatchlist | None) -> Watchlist | None:
    try:
        return watchlist_of(row.name, row.definition) if row is not None else None
    except UsageError:
        return None


def _problem(row: StoredWatchlist) -> str | None:
    try:
        watchlist_of(row.name, row.definition)
    except UsageError as error:
        return error.message
    return None
