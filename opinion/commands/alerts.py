"""`opinion alerts`: see incidents, take one over, mute some."""

import getpass
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from alerts.excerpts import excerpt
from alerts.rules import ALERT_NAME
from core import durations
from core.errors import UsageError
from core.settings import Settings, load_settings
from opinion.commands.alerts_show import show_incident
from opinion.commands.alerts_verify import verify_incident
from opinion.commands.json_rows import row_as_json
from opinion.servers import database
from storage import incidents
from storage.incidents import IncidentRow

app = typer.Typer(help="Incidents: list, acknowledge, silence.", no_args_is_help=True)

app.command("show")(show_incident)
app.command("verify")(verify_incident)

LONGEST_SILENCE = timedelta(days=365)

JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]


@app.command("list")
def list_incidents(
    status: Annotated[Literal["firing", "resolved"] | None, typer.Option(help="Only these.")] = None,
    limit: Annotated[int, typer.Option(help="At most so many.", min=1, max=10_000)] = 50,
    as_json: JsonOption = False,
) -> None:
    """Show incidents, newest first.

    Example: opinion alerts list --status firing
    """
    settings = load_settings()
    with database(settings) as engine, engine.begin() as connection:
        found = incidents.newest(connection, status=status, limit=limit)
    if as_json:
        typer.echo(json.dumps({"incidents": [row_as_json(row) for row in found]}, ensure_ascii=False))
    else:
        Console().print(_table(found, settings))


@app.command("ack")
def acknowledge(
    incident_id: Annotated[int, typer.Argument(metavar="ID")],
    by: Annotated[str | None, typer.Option(help="Who takes care of it; you if absent.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Say that someone takes care of an incident; the first name stays.

    Example: opinion alerts ack 12 --by 王芳
    """
    with database(load_settings()) as engine, engine.begin() as connection:
        row = incidents.acknowledge(connection, incident_id, by=by or getpass.getuser())
    if as_json:
        typer.echo(json.dumps(row_as_json(row), ensure_ascii=False))
    else:
        Console().print(f"incident {row.id} is acknowledged by {row.acknowledged_by}", markup=False)


@app.command("silence")
def silence(
    match: Annotated[list[str], typer.Option(help="LABEL=VALUE; repeat it, all must hold.")],
    duration: Annotated[str, typer.Option("--for", help="How long: 30m, 2h, 1d, 1w.")],
    comment: Annotated[str, typer.Option(help="Why.")] = "",
    by: Annotated[str | None, typer.Option(help="Who; you if absent.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Mute messages about incidents whose labels match; detection and the alert topic go on.

    Example: opinion alerts silence --match topic=sports --for 2h --comment "final tonight"
    """
    matchers = dict(_matcher(text) for text in match)
    now = datetime.now(UTC)
    ends_at = now + duration_of(duration)
    with database(load_settings()) as engine, engine.begin() as connection:
        made = incidents.add_silence(
            connection, matchers, starts_at=now, ends_at=ends_at, by=by or getpass.getuser(), comment=comment
        )
    if as_json:
        typer.echo(json.dumps({"id": made, "matchers": matchers, "ends_at": ends_at.isoformat()}))
    else:
        Console().print(f"silence {made} until {ends_at:%Y-%m-%d %H:%M} UTC", markup=False)


def _matcher(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not (name and separator and value):
        raise UsageError(f"not LABEL=VALUE: {text!r}", remedy="for example --match topic=sports")
    return name, value


def duration_of(text: str) -> timedelta:
    """`30m`, `2h`, `1d`, `1w`.

    Raises:
        UsageError: it is not of this form, or longer than a year.
    """
    try:
        found = durations.duration(text)
    except ValueError as error:
        raise UsageError(str(error), remedy="for example --for 2h") from error
    if found > LONGEST_SILENCE:
        raise UsageError(f"longer than a year: {text!r}", remedy="for example --for 2h")
    return found


def _what(row: IncidentRow) -> str:
    """The labels; the alert's name too where it is not a surge."""
    labels = ", ".join(f"{k}={v}" for k, v in row.labels.items() if k not in ("alertname", "rule"))
    name = row.labels.get("alertname", ALERT_NAME)
    return (labels or "all documents") if name == ALERT_NAME else f"{name} {labels}"


def _table(found: Sequence[IncidentRow], settings: Settings) -> Table:
    def local(at: datetime | None) -> str:
        return at.astimezone(settings.zone).strftime("%m-%d %H:%M") if at else ""

    table = Table(title=f"{len(found)} incidents", caption=f"times of {settings.timezone}")
    for heading in ("id", "status", "severity", "what", "starts", "ends", "observed", "expected", "taken by"):
        table.add_column(heading)
    for row in found:
        cells = (
            str(row.id),
            row.status,
            row.severity,
            excerpt(_what(row), 60),
            local(row.starts_at),
            local(row.ends_at),
            f"{row.observed:.0f}",
            f"{row.expected:.1f}",
            excerpt(row.acknowledged_by or "", 30),
        )
        table.add_row(*(Text(cell) for cell in cells))  # Text: crawled names are not markup
    return table
