"""`opinion sources`: what comes from where, what has fallen silent, and of what nobody wants to hear."""

import json
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from alerts.rendering.excerpts import excerpt
from core.settings import Settings, load_settings
from opinion.commands.json_rows import row_as_json
from opinion.commands.silences import duration_of
from opinion.servers import database
from storage import queries, sources
from storage.queries import SourceHealth

app = typer.Typer(help="Sources: list them, mute one.", no_args_is_help=True)

FOR_GOOD = timedelta(days=36_500)

JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]


@app.command("list")
def list_sources(as_json: JsonOption = False) -> None:
    """Show every source: how it is, what was last heard of it, what is usual. The silent ones come first.

    Example: opinion sources list
    """
    settings = load_settings()
    with database(settings) as engine, engine.begin() as connection:
        found = queries.source_health(connection)
    if as_json:
        typer.echo(json.dumps({"sources": [row_as_json(one) for one in found]}, ensure_ascii=False))
    else:
        Console().print(_table(found, settings))


@app.command("mute")
def mute(
    name: Annotated[str, typer.Argument(help="As `opinion sources list` shows it.")],
    duration: Annotated[str, typer.Option("--for", help="How long: 2h, 1d, 1w; for good if absent.")] = "",
    off: Annotated[bool, typer.Option("--off", help="Tell of it again.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Tell nobody when a source falls silent. It is watched as before, and its silences still teach nothing.

    Example: opinion sources mute old-forum --for 1w
    """
    until = None if off else datetime.now(UTC) + (duration_of(duration) if duration else FOR_GOOD)
    with database(load_settings()) as engine, engine.begin() as connection:
        sources.mute(connection, name, until)
    if as_json:
        result = {"source": name, "muted_until": until.isoformat() if until else None}
        typer.echo(json.dumps(result, ensure_ascii=False))
    else:
        said = f"{name} is muted until {until:%Y-%m-%d %H:%M} UTC" if until else f"{name} is told of again"
        Console().print(said, markup=False, highlight=False)


def _table(found: list[SourceHealth], settings: Settings) -> Table:
    def local(at: datetime | None) -> str:
        return at.astimezone(settings.zone).strftime("%Y-%m-%d %H:%M") if at else ""

    table = Table(title=f"{len(found)} sources", caption=f"times of {settings.timezone}")
    for heading in ("source", "state", "since", "newest document", "usually/h", "documents", "muted until"):
        table.add_column(heading)
    for row in found:
        usual = "" if row.expected_per_hour is None else f"{row.expected_per_hour:.1f}"
        muted = local(row.muted_until) if row.is_muted else ""
        cells = (row.state, local(row.state_since), local(row.last_at), usual, f"{row.total}", muted)
        table.add_row(*(Text(cell) for cell in (excerpt(row.source, 60), *cells)))
    return table
