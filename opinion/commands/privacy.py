"""`opinion privacy`: erase people's words, and keep them from coming in."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text
from sqlalchemy import Engine

from core.errors import NotFoundError, UsageError
from core.pseudonyms import Pseudonyms
from core.settings import Settings, load_settings
from opinion import erasure
from opinion.pseudonymising import pseudonymise_stored
from opinion.servers import database
from storage import opt_outs
from storage.opt_outs import Kind
from streams.authors import pseudonyms_of

app = typer.Typer(help="Erase people's words, and keep them from coming in.", no_args_is_help=True)
opt_out_app = typer.Typer(help="Whose documents are not stored.", no_args_is_help=True)
app.add_typer(opt_out_app, name="opt-out")
stderr = Console(stderr=True)

Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]


class As(StrEnum):
    """What an argument names."""

    auto = "auto"
    author = "author"
    document = "document"


class What(StrEnum):
    """What is listed."""

    author = "author"
    source = "source"
    document = "document"


@app.callback()
def privacy() -> None:
    """Erase people's words, and keep them from coming in."""


@app.command("erase")
def erase(
    what: Annotated[str, typer.Argument(help="An author's name or pseudonym, or a document's id.")],
    as_kind: Annotated[As, typer.Option("--as", help="What it is; auto: a document if one has that id.")] = As.auto,
    also: Annotated[
        list[Path] | None, typer.Option(help="Another file or folder that may hold copies; may be repeated.")
    ] = None,
    opt_out: Annotated[bool, typer.Option("--opt-out", help="Store nothing of this author any more.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Erase an author's documents, or one document, for good.

    Reaches documents, their history, mentions, counts, labels, evidence and notifications, and files under `home`;
    the same records, read again, do not bring them back. Says which models have seen the texts and which Kafka topics
    still hold them. A second run finds nothing.

    Example: opinion privacy erase forum:4711 --dry-run
    """
    for path in also or ():
        if not path.exists():
            raise NotFoundError(f"--also: there is no {path}")
    with _opened() as (settings, engine, pseudonyms):
        with engine.connect() as connection:
            names = erasure.pseudonyms_named(what, pseudonyms, opt_outs.used_keys(connection))
        kind, ids = erasure.document_ids(engine, what, names, as_kind=as_kind)
        if not dry_run:
            _confirm(f"Erase {len(ids)} document(s) of this {kind} for good?", yes, as_json)
            if opt_out and kind == "author":
                erasure.note_author(engine, names)
        found = erasure.erase_documents(settings, engine, kind, ids, also or (), is_dry=dry_run)
    _show_erasure({**found.as_json(), "is_dry": dry_run}, as_json)


@app.command("pseudonymise")
def pseudonymise(as_json: Json = False) -> None:
    """Make pseudonyms of authors that an older version stored by name. Workers may run; again changes nothing.

    Example: opinion privacy pseudonymise
    """
    with _opened() as (_, engine, pseudonyms):
        changed = pseudonymise_stored(engine, pseudonyms)
    if as_json:
        typer.echo(json.dumps({"rows": changed}))
    else:
        typer.echo(f"{changed} rows have pseudonyms now")


@opt_out_app.command("add")
def add(
    what: Annotated[What, typer.Argument(help="What is listed.")],
    value: Annotated[str, typer.Argument(help="An author's name or pseudonym, a source, or a document's id.")],
    note: Annotated[str, typer.Option(help="Why, for whoever reads the list.")] = "",
    as_json: Json = False,
) -> None:
    """Store nothing of an author or source, or not this document, from now on. What is stored stays.

    Example: opinion privacy opt-out add author 张三 --note "asked by mail"
    """
    with _opened() as (_, engine, pseudonyms):
        values = _values(engine, pseudonyms, what, value)
        with engine.begin() as connection:
            new = opt_outs.add(connection, _kind(what), values[:1], note)
    _say({"kind": what.value, "value": values[0], "new": bool(new)}, as_json)


@opt_out_app.command("remove")
def remove(
    what: Annotated[What, typer.Argument(help="What is listed.")],
    value: Annotated[str, typer.Argument(help="As it was added, or as `list` shows it.")],
    as_json: Json = False,
) -> None:
    """Take an entry off the list; documents are stored again from the next record on.

    Example: opinion privacy opt-out remove source forum
    """
    with _opened() as (_, engine, pseudonyms):
        values = _values(engine, pseudonyms, what, value)
        with engine.begin() as connection:
            gone = opt_outs.remove(connection, _kind(what), [*values, value])
    if not gone:
        raise NotFoundError(f"{what.value} {value!r} is not on the list", remedy="opinion privacy opt-out list")
    _say({"kind": what.value, "removed": gone}, as_json)


@opt_out_app.command("list")
def list_entries(as_json: Json = False) -> None:
    """Show the list: authors by pseudonym, sources by name, documents by the hash of their id.

    Example: opinion privacy opt-out list
    """
    settings = load_settings()
    with database(settings) as engine, engine.connect() as connection:
        entries = opt_outs.listed(connection)
    if as_json:
        rows = [{**entry._asdict(), "added_at": entry.added_at.isoformat()} for entry in entries]
        typer.echo(json.dumps({"opt_outs": rows}, ensure_ascii=False))
        return
    table = Table("kind", "value", "note", "added")
    for entry in entries:
        table.add_row(entry.kind, Text(entry.value), Text(entry.note), f"{entry.added_at:%Y-%m-%d %H:%M}")
    Console().print(table)


@contextmanager
def _opened() -> Iterator[tuple[Settings, Engine, Pseudonyms]]:
    settings = load_settings()
    with database(settings) as engine:
        yield settings, engine, pseudonyms_of(settings, engine)


def _kind(what: What) -> Kind:
    return what.value


def _values(engine: Engine, pseudonyms: Pseudonyms, what: What, value: str) -> list[str]:
    """How an entry stands in the table: of an author first under the key in use."""
    if not value.strip():
        raise UsageError(f"{what.value}: an empty name stands for nobody")
    if what is What.source:
        return [value]
    if what is What.document:
        return [opt_outs.id_hash(value)]
    with engine.connect() as connection:
        return erasure.pseudonyms_named(value, pseudonyms, opt_outs.used_keys(connection))


def _confirm(question: str, yes: bool, as_json: bool) -> None:
    if yes:
        return
    if as_json or not stderr.is_terminal:
        raise UsageError("this cannot be undone, and nobody is there to be asked", remedy="add --yes, or --dry-run")
    typer.confirm(question, abort=True, err=True)


def _say(result: dict[str, Any], as_json: bool) -> None:
    typer.echo(
        json.dumps(result, ensure_ascii=False) if as_json else ", ".join(f"{k}: {v}" for k, v in result.items())
    )


def _show_erasure(result: dict[str, Any], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(result, ensure_ascii=False))
        return
    table = Table("what", "found", title="Would be erased" if result["is_dry"] else "Erased")
    for name in ("documents", "revisions", "mentions", "labels", "evidence", "notifications"):
        table.add_row(name, f"{result[name]:,}")
    files, models = result["files"], result["models"]
    lines = {
        "lines of files": [f"{path}: {count}" for path, count in files["lines"].items()],
        "folders and reports": files["removed"],
        "look at these yourself": files["left"],
        "models that learned from it": models["trained"],
        "models that may have read it": models["perhaps"],
        "Kafka keeps it in": result["kafka"],
    }
    for name, found in lines.items():
        table.add_row(name, Text("\n".join(found) or "none"))
    Console().print(table)
