"""`opinion dlq`: look at dead letters and put them back."""

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from core.errors import NotFoundError
from core.settings import load_settings
from opinion.servers import servers
from streams import dead_letter_topic, topics
from streams.dead_letter_topic import StoredDeadLetter

app = typer.Typer(help="Records that could never be stored: list, show, put back.", no_args_is_help=True)
SHOWN_BYTES = 4000


@app.command("list")
def list_letters(
    most: Annotated[int, typer.Option(help="At most so many, oldest first.", min=1)] = 50,
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """List dead letters with their reasons.  Example: opinion dlq list"""
    letters = _letters()
    if as_json:
        body = {"count": len(letters), "dead_letters": [_summary(letter) for letter in letters[:most]]}
        typer.echo(json.dumps(body, ensure_ascii=False))
        return
    table = Table("id", "when", "reason", "from", "detail", title=f"{len(letters)} dead letters")
    for letter in letters[:most]:
        row = _summary(letter)
        table.add_row(*(Text(row[name]) for name in ("id", "dead_lettered_at", "reason", "from", "detail")))
    Console().print(table)


@app.command("show")
def show(
    letter_id: Annotated[str, typer.Argument(metavar="ID", help="As `dlq list` shows it: partition:offset")],
) -> None:
    """Print one dead letter, everything unprintable in it escaped.  Example: opinion dlq show 3:17"""
    for letter in _letters():
        if _id(letter) == letter_id:
            value = (letter.value or b"")[:SHOWN_BYTES]
            typer.echo(json.dumps({**_summary(letter), "key": repr(letter.key), "value": repr(value)}, indent=2))
            return
    raise NotFoundError(f"no dead letter {letter_id}", remedy="opinion dlq list")


@app.command("redrive")
def redrive(
    most: Annotated[int | None, typer.Option(help="At most so many.", min=1)] = None,
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """Put dead letters that were not put back yet onto the topic they came from.  Example: opinion dlq redrive"""
    settings = load_settings()
    with servers(settings, need_postgres=False) as addresses:
        prefix = settings.kafka.topic_prefix
        count = dead_letter_topic.redrive(
            addresses.kafka_bootstrap, prefix + topics.RAW_DLQ, prefix + topics.RAW, most=most
        )
    typer.echo(json.dumps({"redriven": count}) if as_json else f"{count} records put back")


def _letters() -> list[StoredDeadLetter]:
    settings = load_settings()
    with servers(settings, need_postgres=False) as addresses:
        found = dead_letter_topic.read(addresses.kafka_bootstrap, settings.kafka.topic_prefix + topics.RAW_DLQ)
        return sorted(found, key=lambda letter: (letter.dead_lettered_at, letter.partition, letter.offset))


def _id(letter: StoredDeadLetter) -> str:
    return f"{letter.partition}:{letter.offset}"


def _summary(letter: StoredDeadLetter) -> dict[str, str]:
    origin = letter.error
    return {
        "id": _id(letter),
        "dead_lettered_at": letter.dead_lettered_at.isoformat(timespec="seconds"),
        "reason": origin.get("exception.class.name", "unknown"),
        "from": f"{origin.get('topic')}/{origin.get('partition')}@{origin.get('offset')}",
        "detail": origin.get("exception.message", ""),
    }
