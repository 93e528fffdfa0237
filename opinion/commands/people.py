"""`opinion people`: who may use the console, also for whoever cannot get in."""

import json
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from core.errors import UsageError
from core.passwords import Passwords, one_time
from core.roles import ROLES, Role
from core.settings import Settings, load_settings
from opinion.commands.json_rows import row_as_json
from opinion.servers import database
from storage import audit_log, people
from storage.people import Account

app = typer.Typer(help="People of the console: add, list, roles, passwords.", no_args_is_help=True)
stderr = Console(stderr=True, highlight=False)

BY = "opinion"
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Of the person.")]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]


@app.command("add")
def add(
    name: NameArgument,
    role: Annotated[str, typer.Option(help=f"One of {', '.join(ROLES)}.")] = "viewer",
    as_json: JsonOption = False,
) -> None:
    """Let somebody in. Their one-time password is shown this once; they change it at the first login.

    Example: opinion people add li --role analyst
    """
    chosen, once = _role(role), one_time()
    people.checked_name(name)
    hashed = Passwords().hash(once)
    with database(load_settings()) as engine, engine.begin() as connection:
        made = people.add(connection, name, chosen, hashed, by=BY)
        audit_log.append_by_command(connection, "person added", made.name, role=chosen)
    _show_once(made, once, as_json)


@app.command("list")
def list_people(as_json: JsonOption = False) -> None:
    """Show who may come in, and when each was last here.

    Example: opinion people list
    """
    settings = load_settings()
    with database(settings) as engine, engine.connect() as connection:
        found = people.known(connection)
    if as_json:
        typer.echo(json.dumps({"people": [row_as_json(one) for one in found]}, ensure_ascii=False))
        return
    table = Table("name", "role", "last login", "state", caption=f"times of {settings.timezone}")
    for one in found:
        state = "disabled" if one.disabled_at else "has a one-time password" if one.must_change else ""
        table.add_row(Text(one.name), one.role, _local(one.last_login_at, settings), state)
    Console().print(table)


@app.command("role")
def change_role(
    name: NameArgument,
    role: Annotated[str, typer.Argument(help=f"One of {', '.join(ROLES)}.")],
    as_json: JsonOption = False,
) -> None:
    """Say what somebody may do, from their next request on.

    Example: opinion people role li admin
    """
    chosen = _role(role)
    with database(load_settings()) as engine, engine.begin() as connection:
        changed = people.set_role(connection, people.named(connection, name).id, chosen)
        audit_log.append_by_command(connection, "role", changed.name, role=chosen)
    _show(changed, f"{changed.name} is {chosen}", as_json)


@app.command("password")
def reset_password(name: NameArgument, as_json: JsonOption = False) -> None:
    """Give somebody another one-time password; wherever they were logged in, they no longer are.

    Example: opinion people password admin
    """
    once = one_time()
    hashed = Passwords().hash(once)
    with database(load_settings()) as engine, engine.begin() as connection:
        found = people.named(connection, name)
        if not found.has_password:
            raise UsageError(f"{found.issuer} vouches for {found.name}: there is no password here")
        changed = people.set_password(connection, found.id, hashed, must_change=True)
        audit_log.append_by_command(connection, "password reset", changed.name)
    _show_once(changed, once, as_json)


@app.command("disable")
def disable(name: NameArgument, as_json: JsonOption = False) -> None:
    """Keep somebody out from now on; what they did keeps their name.

    Example: opinion people disable li
    """
    with database(load_settings()) as engine, engine.begin() as connection:
        changed = people.disable(connection, people.named(connection, name).id, datetime.now(UTC))
        audit_log.append_by_command(connection, "person disabled", changed.name)
    _show(changed, f"{changed.name} is out", as_json)


@app.command("enable")
def enable(name: NameArgument, as_json: JsonOption = False) -> None:
    """Let somebody in again.

    Example: opinion people enable li
    """
    with database(load_settings()) as engine, engine.begin() as connection:
        changed = people.enable(connection, people.named(connection, name).id)
        audit_log.append_by_command(connection, "person enabled", changed.name)
    _show(changed, f"{changed.name} may come in", as_json)


def _role(stated: str) -> Role:
    for role in ROLES:
        if role == stated:
            return role
    raise UsageError(f"no such role: {stated}", remedy=f"there are: {', '.join(ROLES)}")


def _show_once(account: Account, once: str, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({**row_as_json(account), "password": once}, ensure_ascii=False))
        return
    typer.echo(once)
    stderr.print(Text(f"The one-time password of {account.name}: it cannot be shown again."))


def _show(account: Account, line: str, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(row_as_json(account), ensure_ascii=False))
    else:
        Console().print(line, markup=False, highlight=False)


def _local(at: datetime | None, settings: Settings) -> str:
    return at.astimezone(settings.zone).strftime("%Y-%m-%d %H:%M") if at else ""
