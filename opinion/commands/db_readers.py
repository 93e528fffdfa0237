"""`opinion db reader` and `readers`: logins for dashboards and analysts, who may read `bi` and nothing else."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from sqlalchemy import Engine
from sqlalchemy.engine import make_url

from core.errors import UsageError
from core.settings import load_settings
from opinion.servers import database
from storage import readers

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
stderr = Console(stderr=True, highlight=False, soft_wrap=True)


def reader(
    name: Annotated[str, typer.Argument(help="Who logs in: lower-case letters, digits and _.")],
    renew: Annotated[bool, typer.Option(help="A new password for a reader that there is.")] = False,
    remove: Annotated[bool, typer.Option(help="Take the login away.")] = False,
    password_file: Annotated[
        Path | None,
        typer.Option(
            help="For a program: the password that this file has; made and written there if it is not there."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a login that may read schema bi and nothing else, within limits. Its password is shown this once.

    Example: opinion db reader anna
    """
    if renew and remove:
        raise UsageError("--renew and --remove exclude each other")
    with database(load_settings()) as engine:
        if remove:
            with engine.begin() as connection:
                readers.remove(connection, name)
            typer.echo(json.dumps({"name": name, "removed": True}) if as_json else f"{name} is removed")
            return
        kept = password_file.read_text(encoding="utf-8").strip() if password_file and password_file.exists() else None
        with engine.begin() as connection:
            is_known = renew or (password_file is not None and name in readers.names(connection))
            make = readers.renew if is_known else readers.create
            password = make(connection, name, kept)
            if password_file and kept is None:
                password_file.touch(mode=0o600)
                password_file.write_text(password, encoding="utf-8")
        url = _url(engine, name, password)
    if password_file:
        found = {"name": name, "password_file": str(password_file)}
        typer.echo(json.dumps(found) if as_json else f"{name} logs in with the password in {password_file}")
    elif as_json:
        typer.echo(json.dumps({"name": name, "password": password, "url": url}))
    else:
        typer.echo(url)
        stderr.print("Keep it: the password cannot be shown again.")


def list_readers(as_json: AsJson = False) -> None:
    """Show who may log in to read.  Example: opinion db readers"""
    with database(load_settings()) as engine, engine.begin() as connection:
        found = readers.names(connection)
    typer.echo(
        json.dumps({"readers": found}) if as_json else "\n".join(found) or "nobody; make one: opinion db reader NAME"
    )


def _url(engine: Engine, name: str, password: str) -> str:
    """Where and as whom to connect, as psql and other tools take it."""
    url = make_url(engine.url).set(drivername="postgresql", username=name, password=password)
    return url.render_as_string(hide_password=False)
