"""`opinion alerts outbox`: what has not arrived, why, and once more."""

import json
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from core.errors import UsageError
from core.settings import load_settings
from opinion.commands.json_rows import row_as_json
from opinion.servers import database
from storage import notifications
from storage.notifications import Status

app = typer.Typer(help="The outbox: messages that wait, arrived or were given up.", no_args_is_help=True)

JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]


@app.command("list")
def list_outbox(
    status: Annotated[Status | None, typer.Option(help="Only these.")] = None,
    receiver: Annotated[str | None, typer.Option(help="Only what goes to this one.")] = None,
    limit: Annotated[int, typer.Option(help="At most so many.", min=1, max=10_000)] = 50,
    as_json: JsonOption = False,
) -> None:
    """Show messages, newest first, without what they say.

    Example: opinion alerts outbox list --status dead
    """
    settings = load_settings()
    with database(settings) as engine, engine.connect() as connection:
        found = notifications.newest(connection, status=status, receiver=receiver, limit=limit)
        waiting = notifications.backlog(connection)
    if as_json:
        body = {"messages": [row_as_json(row) for row in found], **waiting}
        typer.echo(json.dumps(body, ensure_ascii=False))
        return
    table = Table(title=f"{waiting['pending']} waiting, {waiting['dead']} dead")
    for heading in ("delivery", "incident", "channel", "receiver", "status", "attempts", "next attempt", "error"):
        table.add_column(heading, overflow="fold")
    for row in found:
        again = row.next_attempt_at.astimezone(settings.zone).strftime("%m-%d %H:%M:%S")
        cells = (
            row.delivery_id,
            str(row.incident_id),
            row.channel,
            row.receiver,
            row.status,
            str(row.attempts),
            again if row.status == "pending" else "",
            row.last_error or "",
        )
        table.add_row(*map(Text, cells))
    Console().print(table)


@app.command("retry")
def retry(
    deliveries: Annotated[list[str] | None, typer.Argument(metavar="[DELIVERY]...", help="Dead messages.")] = None,
    all_dead: Annotated[bool, typer.Option("--all", help="Every dead message.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Give dead messages all their attempts again; a running scheduler sends them at once.

    Example: opinion alerts outbox retry --all
    """
    if all_dead == bool(deliveries):
        raise UsageError(
            "name messages, or say --all", remedy="opinion alerts outbox list --status dead shows which there are"
        )
    with database(load_settings()) as engine, engine.begin() as connection:
        revived = notifications.revive(connection, deliveries or [], now=datetime.now(UTC))
    if as_json:
        typer.echo(json.dumps({"retried": revived}))
    else:
        Console().print(f"{len(revived)} messages will be tried again", markup=False)
