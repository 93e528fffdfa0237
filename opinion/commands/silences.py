"""`opinion alerts silence`, `silences`, `unsilence`: what people do not want to hear of for a while."""

import getpass
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from alerts.rendering.excerpts import excerpt
from alerts.routing import silencing
from alerts.routing.matchers import all_match
from core import durations
from core.errors import UsageError
from core.settings import load_settings
from opinion.commands.alerts import MOST_COMMENT_CHARS, ByOption, JsonOption, as_object, said
from opinion.commands.json_rows import row_as_json
from opinion.servers import database
from storage import incidents, silences
from storage.incidents import IncidentRow


def silence(
    match: Annotated[
        list[str], typer.Option(help='topic="sports", source!=a, source=~"weibo|news", lang!~"en.*"; all must hold.')
    ],
    duration: Annotated[str, typer.Option("--for", help="How long: 30m, 2h, 1d, 1w.")],
    starts: Annotated[str, typer.Option(help="From when on, in ISO 8601 with the zone; now if absent.")] = "",
    comment: Annotated[str, typer.Option(help="Why.")] = "",
    by: ByOption = None,
    preview: Annotated[bool, typer.Option("--preview", help="Only show what it would mute now.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Mute messages about incidents whose labels match; detection and the alert topic go on.

    Example: opinion alerts silence --match topic=sports --for 2h --comment "final tonight"
    """
    now = datetime.now(UTC)
    starts_at = parsed_time(starts, "--starts") if starts else now
    ends_at = starts_at + duration_of(duration)
    conditions = silencing.checked(match)
    why = said(comment, "--comment", MOST_COMMENT_CHARS) if comment else ""
    with database(load_settings()) as engine, engine.begin() as connection:
        muted = [
            row
            for row in incidents.firing(connection)
            if row.state != "resolved" and all_match(conditions, silencing.labels_of(row))
        ]
        if preview:
            _show_muted(muted, as_json)
            return
        made = silencing.silence(
            connection, match, starts_at=starts_at, ends_at=ends_at, by=by or getpass.getuser(), comment=why
        )
    if as_json:
        typer.echo(json.dumps({**row_as_json(made), "mutes": [row.id for row in muted]}, ensure_ascii=False))
    else:
        until = f"silence {made.id} until {ends_at:%Y-%m-%d %H:%M} UTC"
        Console().print(f"{until}; mutes {len(muted)} of what is open now", markup=False)


def list_silences(
    everything: Annotated[bool, typer.Option("--all", help="Those that are over, too.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show silences, the newest first.

    Example: opinion alerts silences
    """
    settings, now = load_settings(), datetime.now(UTC)
    with database(settings) as engine, engine.connect() as connection:
        found = silences.known(connection, ends_after=None if everything else now)
    if as_json:
        typer.echo(json.dumps({"silences": [row_as_json(one) for one in found]}, ensure_ascii=False))
        return
    headings = ("id", "matchers", "from", "until", "by", "comment")
    table = Table(*headings, title=f"{len(found)} silences", caption=f"times of {settings.timezone}")
    for one in found:
        times = (f"{at.astimezone(settings.zone):%m-%d %H:%M}" for at in (one.starts_at, one.ends_at))
        cells = (
            str(one.id),
            ", ".join(one.conditions),
            *times,
            excerpt(one.created_by, 30),
            excerpt(one.comment, 80),
        )
        table.add_row(*(Text(cell) for cell in cells))
    Console().print(table)


def unsilence(
    silence_id: Annotated[int, typer.Argument(metavar="ID", min=1, max=2**63 - 1, help="Of the silence.")],
    by: ByOption = None,
    as_json: JsonOption = False,
) -> None:
    """End a silence now; what fires is told then.

    Example: opinion alerts unsilence 3
    """
    with database(load_settings()) as engine, engine.begin() as connection:
        row = silences.expire(connection, silence_id, now=datetime.now(UTC), by=by or getpass.getuser())
    if as_json:
        typer.echo(json.dumps(row_as_json(row), ensure_ascii=False))
    else:
        Console().print(f"silence {row.id} is over since {row.ends_at:%Y-%m-%d %H:%M} UTC", markup=False)


def _show_muted(muted: Sequence[IncidentRow], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"mutes": [as_object(row) for row in muted]}, ensure_ascii=False))
        return
    table = Table("id", "severity", "labels", title=f"would mute {len(muted)} of what is open now")
    for row in muted:
        labels = ", ".join(f"{name}={value}" for name, value in row.labels.items())
        table.add_row(str(row.id), row.severity, Text(excerpt(labels, 120)))
    Console().print(table)


def parsed_time(text: str, field: str) -> datetime:
    """Raises:
    UsageError: it is no time, or has no zone.
    """
    remedy = f"for example {field} 2026-05-01T20:00+08:00"
    try:
        found = datetime.fromisoformat(text)
        if found.tzinfo is None:
            raise UsageError(f"{field} has no zone: {text[:40]!r}", remedy=remedy)
        return found.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise UsageError(f"{field} is no time: {text[:40]!r}", remedy=remedy) from error


def duration_of(text: str) -> timedelta:
    """`30m`, `2h`, `1d`, `1w`.

    Raises:
        UsageError: it is not of this form, or longer than a year.
    """
    try:
        found = durations.duration(text)
    except ValueError as error:
        raise UsageError(str(error), remedy="for example --for 2h") from error
    if found > silencing.LONGEST:
        raise UsageError(f"longer than a year: {text!r}", remedy="for example --for 2h")
    return found
