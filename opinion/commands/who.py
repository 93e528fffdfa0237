"""`opinion alerts who`: who would hear of an incident, when, and why (not)."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from alerts.asking import ask as dry_run
from alerts.delivery.receivers import receivers
from alerts.detection.rules import ALERT_NAME
from alerts.rendering.excerpts import excerpt
from alerts.routing.dry_run import Answer, imagined
from core.errors import UsageError
from core.records import Severity
from core.settings import Settings, load_settings
from opinion.commands.alerts import JsonOption
from opinion.commands.json_rows import row_as_json
from opinion.commands.silences import parsed_time
from opinion.detection import receiver_options
from opinion.servers import database
from storage import incidents
from storage.notifications import Channel

REMEDY = "for example opinion alerts who 12, or opinion alerts who --labels topic=sports"


def ask(
    incident_id: Annotated[
        int | None, typer.Argument(metavar="[ID]", min=1, max=2**63 - 1, help="Of an incident.")
    ] = None,
    labels: Annotated[
        list[str], typer.Option(help="LABEL=VALUE of an incident that there could be; repeat it.")
    ] = [],  # noqa: B006
    severity: Annotated[Severity, typer.Option(help="Of that incident.")] = "warning",
    at: Annotated[str, typer.Option(help="If it were then, in ISO 8601 with the zone; now if absent.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Say who would hear of an incident, when, and why or why not; nobody is told.

    Example: opinion alerts who --labels topic=sports --severity critical
    """
    if (incident_id is None) == (not labels):
        raise UsageError("give either the id of an incident or --labels", remedy=REMEDY)
    settings = load_settings()
    now = parsed_time(at, "--at") if at else datetime.now(UTC)
    wanted = {"alertname": ALERT_NAME, **dict(_label(text) for text in labels)}
    with database(settings) as engine, engine.connect() as connection:
        row = incidents.one(connection, incident_id) if incident_id else imagined(wanted, severity, now)
        found = dry_run(connection, row, people_of(settings), now)
    if as_json:
        typer.echo(json.dumps({"answers": [row_as_json(one) for one in found]}, ensure_ascii=False))
    else:
        Console().print(_table(found, settings))


def people_of(settings: Settings) -> list[tuple[Channel, str]]:
    """The receivers of the settings that are people's."""
    return [(one.channel, one.name) for one in receivers(receiver_options(settings, "")) if one.channel != "kafka"]


def _label(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not (name and separator):
        raise UsageError(f"not LABEL=VALUE: {text[:40]!r}", remedy=REMEDY)
    return name, value


def _table(found: Sequence[Answer], settings: Settings) -> Table:
    table = Table("receiver", "subscription", "told", "at", "why", caption=f"times of {settings.timezone}")
    for one in found:
        at = one.at.astimezone(settings.zone).strftime("%m-%d %H:%M") if one.at else ""
        name = excerpt(one.subscription, 40) or "(everything)" * (one.outcome != "no")
        cells = (excerpt(one.receiver, 60), name, one.outcome, at, excerpt(one.reason, 120))
        table.add_row(*(Text(cell) for cell in cells))
    return table
