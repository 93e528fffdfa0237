"""`opinion watch`: what is watched in the documents; every worker follows within seconds."""

import getpass
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from core.settings import load_settings
from core.watchlist_entries import watchlist_of
from core.watchlist_file import read_watchlists, written
from core.watchlists import Watchlist
from opinion.servers import database
from storage import watchlists
from storage.watchlists import StoredWatchlist

app = typer.Typer(
    help="Watchlists: brands, companies and themes, and how documents speak of them.", no_args_is_help=True
)
stderr = Console(stderr=True, highlight=False)

JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
ByOption = Annotated[str | None, typer.Option(help="Who does it; you if absent.")]
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Of the watchlist.")]
SHOWN_WORDS = 6
LIVE = "workers follow within seconds; what is stored already: opinion watch backfill"


@app.command("list")
def list_watchlists(as_json: JsonOption = False) -> None:
    """Show what is watched.

    Example: opinion watch list
    """
    with database(load_settings()) as engine, engine.connect() as connection:
        found = watchlists.active(connection)
    if as_json:
        typer.echo(json.dumps({"watchlists": [as_object(row) for row in found]}, ensure_ascii=False))
        return
    table = Table("name", "words", "conditions", "owner", "changed", title=f"{len(found)} watchlists")
    for row in found:
        cells = (
            row.name,
            _words(row),
            _conditions(row),
            row.file or row.updated_by,
            f"{row.updated_at:%Y-%m-%d %H:%M}",
        )
        table.add_row(*(Text(cell) for cell in cells))  # Text: people's words are not markup
    Console().print(table)


@app.command("show")
def show(name: NameArgument, as_json: JsonOption = False) -> None:
    """Show one watchlist with everything that defines it.

    Example: opinion watch show 苹果
    """
    with database(load_settings()) as engine, engine.connect() as connection:
        row = watchlists.one(connection, name)
    if as_json:
        typer.echo(json.dumps(as_object(row), ensure_ascii=False))
        return
    table = Table(show_header=False, title=Text(row.name))
    for field, value in {**_definition(row), "file": row.file or "", "revision": str(row.revision)}.items():
        table.add_row(field, Text("\n".join(map(str, value)) if isinstance(value, list) else str(value)))
    table.add_row("created", Text(f"{row.created_at:%Y-%m-%d %H:%M} UTC by {row.created_by}"))
    table.add_row("changed", Text(f"{row.updated_at:%Y-%m-%d %H:%M} UTC by {row.updated_by}"))
    Console().print(table)


@app.command("add")
def add(
    name: NameArgument,
    any_of: Annotated[list[str], typer.Option("--any", help="A word that stands for it; repeat it.")] = [],  # noqa: B006
    must: Annotated[list[str], typer.Option(help="A word that has to occur, too; repeat it.")] = [],  # noqa: B006
    exclude: Annotated[list[str], typer.Option(help="A phrase that is something else; repeat it.")] = [],  # noqa: B006
    query: Annotated[str, typer.Option(help="AND OR NOT, parentheses, phrases; 与 或 非 too.")] = "",
    source: Annotated[list[str], typer.Option(help="Only documents from here; repeat it.")] = [],  # noqa: B006
    lang: Annotated[list[str], typer.Option(help="Only documents in this language; repeat it.")] = [],  # noqa: B006
    by: ByOption = None,
    as_json: JsonOption = False,
) -> None:
    """Watch something, or change what it is: this is its whole definition.

    Example: opinion watch add 苹果 --any 苹果 --any iPhone --exclude 苹果汁
    """
    definition = {"any": any_of, "must": must, "exclude": exclude, "query": query, "sources": source, "langs": lang}
    _put([watchlist_of(name, definition)], by, as_json)


@app.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(help="A watchlist file.")], by: ByOption = None, as_json: JsonOption = False
) -> None:
    """Add or change all watchlists of a file, in one step; others stay. People own them from then on.

    Example: opinion watch import watch.yaml
    """
    _put(read_watchlists(file), by, as_json)


@app.command("export")
def export(out: Annotated[Path | None, typer.Option(help="To this file; else to stdout.")] = None) -> None:
    """Write all watchlists as a watchlist file.

    Example: opinion watch export --out watch.yaml
    """
    with database(load_settings()) as engine, engine.connect() as connection:
        found = [watchlist_of(row.name, row.definition) for row in watchlists.active(connection)]
    if out is None:
        typer.echo(written(found), nl=False)
    else:
        out.write_text(written(found), encoding="utf-8")


@app.command("remove")
def remove(
    name: NameArgument,
    by: ByOption = None,
    force: Annotated[bool, typer.Option("--force", help="Also if a file owns it that is no longer used.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Stop watching something. What was stored and counted for it stays.

    Example: opinion watch remove 苹果
    """
    with database(load_settings()) as engine, engine.begin() as connection:
        watchlists.remove(connection, name, by=by or getpass.getuser(), is_forced=force)
    if as_json:
        typer.echo(json.dumps({"removed": [name]}, ensure_ascii=False))
    else:
        stderr.print(f"{name} is watched no longer; workers follow within seconds", markup=False)


def as_object(row: StoredWatchlist) -> dict[str, Any]:
    """A watchlist as `--json` prints it."""
    times = {"created_at": row.created_at.isoformat(), "updated_at": row.updated_at.isoformat()}
    return {**row._asdict(), **times}


def _put(wanted: Sequence[Watchlist], by: str | None, as_json: bool) -> None:
    with database(load_settings()) as engine, engine.begin() as connection:
        changed = watchlists.put(connection, wanted, by=by or getpass.getuser())
    if as_json:
        typer.echo(json.dumps({"watchlists": len(wanted), "changed": changed}, ensure_ascii=False))
    else:
        stderr.print(f"{len(changed)} of {len(wanted)} watchlists are new or changed; {LIVE}", markup=False)


def _definition(row: StoredWatchlist) -> dict[str, Any]:
    """What somebody wrote by SQL may be anything."""
    return row.definition if isinstance(row.definition, dict) else {"unusable": str(row.definition)}


def _words(row: StoredWatchlist) -> str:
    words = list(map(str, _definition(row).get("any", [])))
    rest = len(words) - SHOWN_WORDS
    return ", ".join(words[:SHOWN_WORDS]) + (f" and {rest} more" if rest > 0 else "")


def _conditions(row: StoredWatchlist) -> str:
    parts = [
        f"{field}: {value if isinstance(value, str) else ', '.join(map(str, list(value)[:SHOWN_WORDS]))}"
        for field, value in _definition(row).items()
        if field != "any"
    ]
    return "\n".join(parts)
