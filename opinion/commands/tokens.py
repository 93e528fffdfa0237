"""`opinion tokens`: which programs may use the API, for what."""

import json
from datetime import datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from core.errors import UsageError
from core.settings import Settings, load_settings
from opinion.commands.json_rows import row_as_json
from opinion.servers import database
from storage import api_tokens, audit_log
from storage.api_tokens import LARGEST_ID, SCOPES

app = typer.Typer(help="Tokens for the API: create, list, revoke.", no_args_is_help=True)
stderr = Console(stderr=True, highlight=False)

LONGEST_NAME = 200
DEFAULT_SCOPE = "documents:write"  # the least: who wants more says so

JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="Who will use it, for people to read.")],
    scope: Annotated[
        list[str] | None,
        typer.Option(help=f"What it is good for: {', '.join(SCOPES)}; {DEFAULT_SCOPE} if absent. Repeatable."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Make a token. It is shown this once; what is kept is a hash.

    `read` reads the API and its streams, `write` changes what an analyst changes (and reads), `documents:write`
    pushes documents and nothing else.

    Example: opinion tokens create weibo-crawler --scope documents:write
    """
    if not name.strip() or len(name) > LONGEST_NAME:
        raise UsageError(f"a name has 1 to {LONGEST_NAME} characters")
    if unknown := set(scope or ()) - set(SCOPES):
        raise UsageError(f"no such scope: {', '.join(sorted(unknown))}", remedy=f"there are: {', '.join(SCOPES)}")
    chosen = [one for one in SCOPES if one in (scope or [DEFAULT_SCOPE])]
    with database(load_settings()) as engine, engine.begin() as connection:
        made, token = api_tokens.create(connection, name.strip(), chosen)
        audit_log.append_by_command(connection, "token made", made.name, scope=", ".join(chosen))
    if as_json:
        typer.echo(json.dumps({**row_as_json(made), "token": token}, ensure_ascii=False))
        return
    typer.echo(token)
    stderr.print("Keep it: it cannot be shown again. Send it as `Authorization: Bearer …`.")


@app.command("list")
def list_tokens(as_json: JsonOption = False) -> None:
    """Show who has tokens, and when each was last used.

    Example: opinion tokens list
    """
    settings = load_settings()
    with database(settings) as engine, engine.begin() as connection:
        found = api_tokens.known(connection)
    if as_json:
        typer.echo(json.dumps({"tokens": [row_as_json(one) for one in found]}, ensure_ascii=False))
        return
    table = Table("id", "name", "scopes", "created", "last used", "revoked", caption=f"times of {settings.timezone}")
    for one in found:
        times = (_local(at, settings) for at in (one.created_at, one.last_used_at, one.revoked_at))
        table.add_row(str(one.id), Text(one.name), ", ".join(one.scopes), *times)
    Console().print(table)


@app.command("revoke")
def revoke(
    token_id: Annotated[int, typer.Argument(metavar="ID", min=1, max=LARGEST_ID)], as_json: JsonOption = False
) -> None:
    """Take a token back; the next request with it is refused.

    Example: opinion tokens revoke 3
    """
    with database(load_settings()) as engine, engine.begin() as connection:
        row = api_tokens.revoke(connection, token_id)
        audit_log.append_by_command(connection, "token revoked", row.name, id=row.id)
    if as_json:
        typer.echo(json.dumps(row_as_json(row), ensure_ascii=False))
    else:
        Console().print(f"token {row.id} ({row.name}) is revoked", markup=False, highlight=False)


def _local(at: datetime | None, settings: Settings) -> str:
    return at.astimezone(settings.zone).strftime("%Y-%m-%d %H:%M") if at else ""
