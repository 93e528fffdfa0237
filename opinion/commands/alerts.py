"""`opinion alerts`: see incidents, take one over, say what was done about it."""

import getpass
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from alerts.detection.rules import ALERT_NAME
from alerts.rendering.excerpts import excerpt
from core.errors import UsageError
from core.records import AlertStatus, IncidentState
from core.settings import Settings, load_settings
from core.watchlist_entries import speakable
from opinion.commands.alerts_show import show_incident
from opinion.commands.alerts_verify import verify_incident
from opinion.commands.json_rows import row_as_json
from opinion.servers import database
from storage import incident_care, incidents
from storage.incidents import IncidentRow

app = typer.Typer(help="Incidents: see them, take care of them, mute them.", no_args_is_help=True)

app.command("show")(show_incident)
app.command("verify")(verify_incident)

MOST_NAME_CHARS = 100
MOST_COMMENT_CHARS = 2000

JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
ByOption = Annotated[str | None, typer.Option(help="Who does it; you if absent.")]
IdArgument = Annotated[int, typer.Argument(metavar="ID", min=1, max=2**63 - 1, help="Of the incident.")]


@app.command("list")
def list_incidents(
    status: Annotated[AlertStatus | None, typer.Option(help="Only these; firing ones may be acknowledged.")] = None,
    state: Annotated[IncidentState | None, typer.Option(help="Only those that are exactly so.")] = None,
    limit: Annotated[int, typer.Option(help="At most so many.", min=1, max=10_000)] = 50,
    as_json: JsonOption = False,
) -> None:
    """Show incidents, newest first.

    Example: opinion alerts list --status firing
    """
    settings = load_settings()
    with database(settings) as engine, engine.begin() as connection:
        found = incidents.newest(connection, status=status, state=state, limit=limit)
    if as_json:
        typer.echo(json.dumps({"incidents": [as_object(row) for row in found]}, ensure_ascii=False))
    else:
        Console().print(_table(found, settings))


@app.command("ack")
def acknowledge(
    incident_id: IdArgument,
    by: Annotated[str | None, typer.Option(help="Who takes care of it; you if absent.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Say that someone takes care of an incident; the first name stays.

    Example: opinion alerts ack 12 --by 王芳
    """
    with database(load_settings()) as engine, engine.begin() as connection:
        row = incident_care.acknowledge(connection, incident_id, by=by or getpass.getuser())
    _done(row, as_json, f"is acknowledged by {excerpt(row.acknowledged_by or '', 60)}")


def _done(row: IncidentRow, as_json: bool, says: str) -> None:
    if as_json:
        typer.echo(json.dumps(as_object(row), ensure_ascii=False))
    else:
        Console().print(f"incident {row.id} {says}", markup=False)


@app.command("unack")
def unacknowledge(incident_id: IdArgument, by: ByOption = None, as_json: JsonOption = False) -> None:
    """Hand an incident back: reminders and escalations go on.

    Example: opinion alerts unack 12
    """
    with database(load_settings()) as engine, engine.begin() as connection:
        row = incident_care.unacknowledge(connection, incident_id, by=by or getpass.getuser())
    _done(row, as_json, "is nobody's again")


@app.command("assign")
def assign(
    incident_id: IdArgument,
    owner: Annotated[str, typer.Argument(help="Whose it is from now on.")],
    by: ByOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say whose an incident is; it is not acknowledged by that.

    Example: opinion alerts assign 12 李雷
    """
    name = said(owner, "OWNER", MOST_NAME_CHARS)
    with database(load_settings()) as engine, engine.begin() as connection:
        row = incident_care.assign(connection, incident_id, name, by=by or getpass.getuser())
    _done(row, as_json, f"is {excerpt(row.owner or '', 60)}'s")


@app.command("comment")
def comment(
    incident_id: IdArgument,
    text: Annotated[str, typer.Argument(help="What there is to say.")],
    by: ByOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a line into an incident's history.

    Example: opinion alerts comment 12 "the supplier has answered"
    """
    line = said(text, "TEXT", MOST_COMMENT_CHARS)
    with database(load_settings()) as engine, engine.begin() as connection:
        incident_care.comment(connection, incident_id, line, by=by or getpass.getuser())
        row = incidents.one(connection, incident_id)
    _done(row, as_json, "has your comment")


@app.command("resolve")
def resolve(
    incident_id: IdArgument,
    comment: Annotated[str, typer.Option(help="Why.")] = "",
    by: ByOption = None,
    as_json: JsonOption = False,
) -> None:
    """Be done with an incident that still fires; it comes back if it grows ten times rarer.

    Example: opinion alerts resolve 12 --comment "a joke that went round"
    """
    why = said(comment, "--comment", MOST_COMMENT_CHARS) if comment else ""
    with database(load_settings()) as engine, engine.begin() as connection:
        row = incident_care.close(connection, incident_id, by=by or getpass.getuser(), comment=why)
    _done(row, as_json, "is resolved")


@app.command("reopen")
def reopen(incident_id: IdArgument, by: ByOption = None, as_json: JsonOption = False) -> None:
    """Take back that somebody resolved an incident.

    Example: opinion alerts reopen 12
    """
    with database(load_settings()) as engine, engine.begin() as connection:
        row = incident_care.reopen(connection, incident_id, by=by or getpass.getuser())
    _done(row, as_json, f"is {row.state}")


@app.command("history")
def history(incident_id: IdArgument, as_json: JsonOption = False) -> None:
    """Show what happened to an incident: what the counts did, who was told, what people did.

    Example: opinion alerts history 12
    """
    settings = load_settings()
    with database(settings) as engine, engine.connect() as connection:
        found = incident_care.history(connection, incident_id)
    if as_json:
        typer.echo(json.dumps({"id": incident_id, "events": [row_as_json(one) for one in found]}, ensure_ascii=False))
        return
    table = Table("at", "what", "who", "", title=f"incident {incident_id}", caption=f"times of {settings.timezone}")
    for one in found:
        detail = ", ".join(f"{name}: {value}" for name, value in one.detail.items())
        at = one.at.astimezone(settings.zone).strftime("%m-%d %H:%M:%S")
        table.add_row(*(Text(cell) for cell in (at, one.transition, excerpt(one.actor, 30), excerpt(detail, 200))))
    Console().print(table)


def said(text: str, field: str, most: int) -> str:
    """What a person wrote, fit for SQL and a terminal.

    Raises:
        UsageError: it is empty, too long, or holds control characters.
    """
    try:
        found = speakable(text.strip())
    except ValueError as error:
        raise UsageError(f"{field}: {error}", remedy="write it in one line") from error
    if not found or len(found) > most:
        raise UsageError(f"{field} has {len(found)} characters; 1 to {most} are taken", remedy="shorten it")
    return found


def as_object(row: IncidentRow) -> dict[str, Any]:
    """An incident as `--json` prints it."""
    return {**row_as_json(row), "state": row.state}


def _what(row: IncidentRow) -> str:
    """The labels; the alert's name too where it is not a surge."""
    labels = ", ".join(f"{k}={v}" for k, v in row.labels.items() if k not in ("alertname", "rule"))
    name = row.labels.get("alertname", ALERT_NAME)
    return (labels or "all documents") if name == ALERT_NAME else f"{name} {labels}"


def _table(found: Sequence[IncidentRow], settings: Settings) -> Table:
    def local(at: datetime | None) -> str:
        return at.astimezone(settings.zone).strftime("%m-%d %H:%M") if at else ""

    table = Table(title=f"{len(found)} incidents", caption=f"times of {settings.timezone}")
    for heading in ("id", "status", "severity", "what", "starts", "ends", "observed", "expected", "owner"):
        table.add_column(heading)
    for row in found:
        cells = (
            str(row.id),
            row.state,
            row.severity,
            excerpt(_what(row), 60),
            local(row.starts_at),
            local(row.ends_at),
            f"{row.observed:.0f}",
            f"{row.expected:.1f}",
            excerpt(row.owner or row.acknowledged_by or "", 30),
        )
        table.add_row(*(Text(cell) for cell in cells))  # Text: crawled names are not markup
    return table
