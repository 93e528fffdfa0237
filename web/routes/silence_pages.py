"""`/silences`: what people do not want to hear of for a while, with a preview of what it would mute."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Path, Query, Request
from sqlalchemy import Connection
from starlette.responses import HTMLResponse, RedirectResponse, Response

from alerts.routing import silencing
from alerts.routing.matchers import Matcher, all_match, matcher
from core.errors import UsageError
from core.watchlist_entries import speakable
from storage import incidents, silences
from storage.incidents import IncidentRow
from storage.silences import SilenceRow
from web.database import Reading
from web.editing import Fault, Faults, Form, lines
from web.forms import EditorForm, see_other
from web.rendering import Console, console_of, page
from web.roles import Analyst, person_of
from web.routes.api import LARGEST_ID

HOURS: Final = ("1", "4", "12", "24", "72", "168")
MOST_MATCHERS: Final = 20
MOST_COMMENT_CHARS: Final = 2000
PAST: Final = 200  # of the newest incidents, to say how many it would have muted
FIELDS: Final = ("match", "hours", "until", "comment")
NOT_CONDITIONS: Final = ("alertname", "rule")
OWN_PAGE: Final = re.compile(r"/incidents/[0-9]{1,18}")
"""Where a form on another page may lead back to."""

Note = Literal["saved", "expired"]

router = APIRouter(include_in_schema=False)
SilenceId = Annotated[int, Path(ge=1, le=LARGEST_ID)]


@dataclass(frozen=True, slots=True)
class Muted:
    """What conditions mean: incidents that are open now, and how many of the newest ones they hold for."""

    now: Sequence[IncidentRow]
    past: int
    of: int


@router.get("/silences")
def list_page(
    request: Request,
    connection: Reading,
    everything: Annotated[bool, Query(alias="all")] = False,
    incident: Annotated[int | None, Query(ge=1, le=LARGEST_ID)] = None,
    note: Annotated[Note | None, Query()] = None,
) -> HTMLResponse:
    """Silences, and a form for a new one; `incident` fills in what tells this one from others."""
    form = {"hours": "4"}
    if incident is not None:
        form["match"] = conditions_of(incidents.one(connection, incident))
    return _page(request, connection, form, everything=everything, note=note)


@router.post("/silences/preview")
def preview(request: Request, person: Analyst, connection: Reading, form: EditorForm) -> HTMLResponse:
    """The same page with what it would mute now."""
    conditions, _, faults = _read(form, console_of(request))
    muted = None if faults else _muted(connection, conditions)
    return _page(request, connection, form, faults=faults, muted=muted)


@router.post("/silences/save")
def save(request: Request, person: Analyst, form: EditorForm) -> Response:
    """Mute from now on; detection and the alert topic go on."""
    console = console_of(request)
    conditions, ends_at, faults = _read(form, console)
    with console.engine.begin() as connection:
        if not faults:
            try:
                silencing.silence(
                    connection,
                    [str(one) for one in conditions],
                    starts_at=console.clock.now(),
                    ends_at=ends_at,
                    by=person.name,
                    comment=form.get("comment", "").strip(),
                )
            except UsageError as error:
                faults = {"until": [Fault("other", values={"cause": error.message})]}
        if faults:
            return _page(request, connection, form, faults=faults, is_refused=True)
    back = form.get("back", "")
    return see_other(back) if OWN_PAGE.fullmatch(back) else see_other("/silences", note="saved")


@router.post("/silences/{silence_id}/expire")
def expire(request: Request, person: Analyst, silence_id: SilenceId) -> RedirectResponse:
    """End it now; what fires is told then."""
    console = console_of(request)
    with console.engine.begin() as connection:
        silences.expire(connection, silence_id, now=console.clock.now(), by=person.name)
    return see_other("/silences", note="expired")


def conditions_of(incident: IncidentRow) -> str:
    """What tells an incident's series from others, one condition a line; all of its alert where it has no labels."""
    labels = {name: value for name, value in incident.labels.items() if name not in NOT_CONDITIONS}
    wanted = labels or {name: value for name, value in incident.labels.items() if name in NOT_CONDITIONS}
    return "\n".join(str(Matcher(name, "=", value)) for name, value in wanted.items())


def _page(
    request: Request,
    connection: Connection,
    form: Form,
    *,
    everything: bool = False,
    faults: Faults | None = None,
    is_refused: bool = False,
    muted: Muted | None = None,
    note: Note | None = None,
) -> HTMLResponse:
    now = console_of(request).clock.now()
    found = silences.known(connection, ends_after=None if everything else now)
    opened = [row for row in incidents.firing(connection) if row.state != "resolved"]
    return page(
        request,
        "silences.html",
        status_code=422 if is_refused else 200,
        form=form,
        fields=FIELDS,
        faults=faults or {},
        is_refused=is_refused,
        is_locked=not person_of(request).may("analyst"),
        silences=[(one, _state(one, now)) for one in found],
        everything=everything,
        opened=opened[-10:],
        muted=muted,
        note=note,
        hours=HOURS,
    )


def _state(one: SilenceRow, now: datetime) -> Literal["waits", "active", "over"]:
    if one.ends_at <= now:
        return "over"
    return "active" if one.starts_at <= now else "waits"


def _read(form: Form, console: Console) -> tuple[list[Matcher], datetime, Faults]:
    """Conditions and end of a form, and what is wrong with them."""
    now = console.clock.now()
    faults: dict[str, list[Fault]] = {}
    texts, conditions = lines(form, "match"), list[Matcher]()
    for nth, text in enumerate(texts[:MOST_MATCHERS], start=1):
        try:
            conditions.append(matcher(text[:1000]))
        except UsageError as error:
            faults.setdefault("match", []).append(Fault("matcher", nth, {"cause": error.message}))
    if not texts:
        faults["match"] = [Fault("missing")]
    elif len(texts) > MOST_MATCHERS:
        faults["match"] = [Fault("too_many", values={"limit": MOST_MATCHERS})]
    elif "match" not in faults and all_match(conditions, {}):
        faults["match"] = [Fault("mutes_all")]
    comment = form.get("comment", "").strip()
    try:
        speakable(comment)
    except ValueError:
        faults["comment"] = [Fault("control")]
    if len(comment) > MOST_COMMENT_CHARS:
        faults["comment"] = [Fault("too_long", values={"limit": MOST_COMMENT_CHARS})]
    ends_at = _ends_at(form, console, now)
    if ends_at is None or not now < ends_at <= now + silencing.LONGEST:
        faults["until"] = [Fault("until")]
    return conditions, ends_at or now, faults


def _ends_at(form: Form, console: Console, now: datetime) -> datetime | None:
    """A local time in the console's zone, else so many hours from now; None: not understood."""
    try:
        if until := form.get("until", "").strip():
            at = datetime.fromisoformat(until)
            return at if at.tzinfo else at.replace(tzinfo=console.zone)
        return now + timedelta(hours=int(form["hours"])) if form.get("hours") in HOURS else None
    except (ValueError, OverflowError):
        return None


def _muted(connection: Connection, conditions: Sequence[Matcher]) -> Muted:
    def holds(row: IncidentRow) -> bool:
        return all_match(conditions, silencing.labels_of(row))

    opened = [row for row in incidents.firing(connection) if row.state != "resolved" and holds(row)]
    newest = incidents.newest(connection, limit=PAST)
    return Muted(opened, sum(map(holds, newest)), len(newest))
