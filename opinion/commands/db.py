"""`opinion db`: the schema of the database."""

import json
from dataclasses import asdict, dataclass
from typing import Annotated

import typer
from rich.console import Console

from core.settings import load_settings
from opinion.servers import servers, upgrade_schema
from storage import migrate

app = typer.Typer(help="The schema of the database.", no_args_is_help=True)
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]


@dataclass(frozen=True)
class Revisions:
    """Where the schema stands; equal when nothing is to be done."""

    current: str | None
    newest: str | None


@app.command()
def upgrade(as_json: AsJson = False) -> None:
    """Bring the schema to the newest revision; does nothing when it is there, and several may run at once.

    Example: opinion db upgrade
    """
    settings = load_settings()
    with servers(settings, need_kafka=False) as addresses:
        upgrade_schema(settings, addresses.database_url)
        _show(addresses.database_url, as_json)


@app.command()
def current(as_json: AsJson = False) -> None:
    """Say which revision the schema has and which is the newest.  Example: opinion db current --json"""
    settings = load_settings()
    with servers(settings, need_kafka=False) as addresses:
        _show(addresses.database_url, as_json)


def _show(url: str, as_json: bool) -> None:
    revisions = Revisions(*migrate.revisions(url))
    if as_json:
        typer.echo(json.dumps(asdict(revisions)))
    else:
        Console().print(f"schema {revisions.current or 'empty'}, newest {revisions.newest}", markup=False)
