"""`opinion channels`: where alerts go, how each receiver is doing, and whether a message arrives."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import uuid4

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from alerts.delivery.receivers import ReceiverOptions, masked, notifiers, receivers
from alerts.delivery.trial import messages_of_test
from alerts.rendering.contract import RenderOptions
from alerts.rendering.renderers import render
from alerts.telling import Receiver
from core.errors import NotFoundError, OpinionError
from core.settings import Settings, load_settings
from opinion.commands.json_rows import row_as_json
from opinion.detection import receiver_options
from opinion.servers import database
from storage import receiver_states

app = typer.Typer(help="Channels: where alerts go.", no_args_is_help=True)

JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]


@app.command("list")
def list_channels(as_json: JsonOption = False) -> None:
    """Show every receiver of the settings and how it is doing; no secret is shown.

    Example: opinion channels list
    """
    settings = load_settings()
    options = _options(settings)
    places = {channel.name: masked(channel.type, channel.address) for channel in options.channels}
    with database(settings) as engine, engine.connect() as connection:
        states = {(one.channel, one.receiver): one for one in receiver_states.all_states(connection)}
    found: list[dict[str, Any]] = []
    for receiver in receivers(options):
        state = states.get((receiver.channel, receiver.name))
        doing = row_as_json(state) if state else {}
        kept = ("failures", "paused_until", "last_error", "delivered_at")
        place = places.get(receiver.name, receiver.name)
        told = {**asdict(receiver), "zone": str(receiver.zone)}
        found.append(told | {"place": place} | {name: doing.get(name) for name in kept})
    if as_json:
        typer.echo(json.dumps({"channels": found}, ensure_ascii=False))
        return
    table = Table(title=f"{len(found)} receivers")
    for heading in ("name", "type", "place", "language", "per minute", "failures", "paused until", "last error"):
        table.add_column(heading, overflow="fold")
    for one in found:
        table.add_row(
            *(
                Text("" if one[name] is None else str(one[name]))
                for name in (
                    *("name", "channel", "place", "language"),
                    *("per_minute", "failures", "paused_until", "last_error"),
                )
            )
        )
    Console().print(table)


@app.command("test")
def send_test(
    name: Annotated[str, typer.Argument(metavar="NAME", help="As `opinion channels list` shows it.")],
    as_json: JsonOption = False,
) -> None:
    """Send a message that says it is a test, now and not through the outbox.

    Example: opinion channels test ops
    """
    settings = load_settings()
    options = _options(settings)
    receiver = next((one for one in receivers(options) if one.name == name and one.channel != "kafka"), None)
    if receiver is None:
        raise NotFoundError(f"there is no channel {name!r}", remedy="opinion channels list")
    _send(receiver, options, settings.alerts.console_url)
    if as_json:
        typer.echo(json.dumps({"channel": receiver.channel, "name": receiver.name, "delivered": True}))
    else:
        Console().print(f"{receiver.name} took the test message", markup=False)


def _send(receiver: Receiver, options: ReceiverOptions, console_url: str) -> None:
    made = notifiers(options)
    try:
        for message in messages_of_test(datetime.now(UTC), receiver.channel):
            wanted = RenderOptions(receiver.name, console_url, receiver.language, receiver.link_only)
            told = made[receiver].send(render(receiver.channel, message, {}, wanted), uuid4().hex)
            if told.outcome != "ok":
                again = "it may be taken later" if told.outcome == "retryable" else "it would be refused again"
                raise OpinionError(
                    f"{receiver.name} ({receiver.channel}) did not take it: {told.reason}; {again}",
                    remedy="check the channel's `url` and `secret` under alerts.channels; docs/how-to/send-alerts.md",
                )
    finally:
        for notifier in made.values():
            notifier.close()


def _options(settings: Settings) -> ReceiverOptions:
    return receiver_options(settings, settings.kafka_bootstrap or "localhost:9092")
