"""`opinion models show|verify|gc`: where a model comes from, and the files of all of them."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from core.errors import GateRefusedError, NotFoundError
from core.settings import Settings, load_settings
from opinion.model_cleanup import Cleanup, clean_up
from opinion.model_integrity import damage, folder_of
from opinion.servers import database
from storage import model_periods, model_versions
from storage.model_versions import ModelVersion
from streams.model_files import model_store


def show_model(
    version: Annotated[str, typer.Argument(help="A version of `models list`.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Where a model comes from, back to the first one; its figures, when it was live, and its files.

    Example: opinion models show 20261126-0f3a9c1b
    """
    settings = load_settings()
    with database(settings) as engine, engine.connect() as connection:
        line = model_versions.ancestry(connection, version)
        periods = model_periods.periods_of(connection, version)
    model = line[0]
    assert isinstance(model, ModelVersion)  # noqa: S101  # `ancestry` begins with it
    files = _files(model, settings)
    if as_json:
        body = {
            **model._asdict(),
            "ancestors": [one if isinstance(one, str) else one.version for one in line[1:]],
            "live": [period._asdict() for period in periods],
            "files": files,
        }
        typer.echo(json.dumps(body, default=str))
        return
    console = Console(highlight=False)
    console.print(_tree(line))
    console.print(_figures(model))
    for period in periods:
        until = f"{period.live_until:%Y-%m-%d %H:%M:%S}" if period.live_until else "now"
        when = f"live {period.live_from:%Y-%m-%d %H:%M:%S} to {until}, by {period.promoted_by}: {period.reason}"
        console.print(when, markup=False)
    console.print(_said(files), markup=False, soft_wrap=True)


def verify_model(
    version: Annotated[str, typer.Argument(help="A version of `models list`.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Read every file of a model on this machine, and compare it with what was added. Exit code 5 if one differs.

    Example: opinion models verify 20261126-0f3a9c1b
    """
    settings = load_settings()
    with database(settings) as engine, engine.connect() as connection:
        model = model_versions.find(connection, version)
    files = _files(model, settings)
    typer.echo(json.dumps({"version": version, **files}, default=str) if as_json else _said(files))
    if files["folder"] is None:
        raise NotFoundError(f"{version} is not on this machine", remedy=f"opinion models pull {version}")
    if files["problems"]:
        raise GateRefusedError(f"{version} is damaged", remedy=f"opinion models pull {version}")


def collect_garbage(
    keep: Annotated[
        int | None, typer.Option(min=1, help="Champions before the present one, and newest candidates, that stay.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Remove the files of models that no rollback, job or worker needs, and what dead trainings have left.

    What is known of the models stays. The scheduler does the same, every OPINION_REGISTRY__TIDY_EVERY.

    Example: opinion models gc --dry-run
    """
    settings = load_settings()
    with database(settings) as engine:
        done = clean_up(
            engine,
            settings.home,
            store=model_store(settings),
            keep=keep or settings.registry.keep,
            now=datetime.now(UTC),
            dry_run=dry_run,
        )
    if as_json:
        typer.echo(json.dumps({**asdict(done), "dry_run": dry_run}))
    else:
        _show_cleanup(done, dry_run)


def _files(model: ModelVersion, settings: Settings) -> dict[str, Any]:
    folder, store = folder_of(model, settings.home), model_store(settings)
    found = damage(model, folder) if folder else []
    return {
        "folder": str(folder) if folder else None,
        "is_intact": folder is not None and not found,
        "problems": found,
        "store": store.place if store and model.stored_at else None,
        "files_gone_at": model.files_gone_at,
    }


def _said(files: dict[str, Any]) -> str:
    where = f"files: {files['folder']}" if files["folder"] else "files: not on this machine"
    if gone := files["files_gone_at"]:
        where += f", removed on {gone:%Y-%m-%d}"
    state = "" if files["folder"] is None else ", intact" if files["is_intact"] else ", DAMAGED"
    lines = [where + state, *(f"  {line}" for line in files["problems"])]
    return "\n".join([*lines, f"store: {files['store']}"] if files["store"] else lines)


def _tree(line: list[ModelVersion | str]) -> Tree:
    """The root on top, as time goes."""
    tree = branch = Tree(_name(line[-1]))
    for one in reversed(line[:-1]):
        branch = branch.add(_name(one))
    return tree


def _name(one: ModelVersion | str) -> Text:
    if isinstance(one, str):
        return Text(f"{one} (not known here)")
    told = [one.origin, f"{one.created_at:%Y-%m-%d %H:%M}"]
    told += [f"run {one.training_run}"] if one.training_run else []
    told += [f"data {one.snapshot_hash[:12]}"] if one.snapshot_hash else []
    told += [f"code {one.code_version}"] if one.code_version else []
    return Text(f"{one.version} ({', '.join(told)})")


def _figures(model: ModelVersion) -> Table:
    table = Table("figure", "head", "parent", "this model")
    for part in ("held_out", "replay"):
        figures = model.metrics.get(part, {})
        for head, value in figures.get("candidate", {}).items():
            before = figures.get("champion", {}).get(head)
            table.add_row(f"{part.replace('_', '-')} F1", Text(head), _number(before), _number(value))
    for name, value in model.options.items():
        table.add_row("option", Text(name), "", Text(str(value)))
    return table


def _number(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, int | float) else ""


def _show_cleanup(done: Cleanup, dry_run: bool) -> None:
    console, verb = Console(highlight=False, soft_wrap=True), "would be removed" if dry_run else "removed"
    for version, reason in done.kept.items():
        console.print(f"kept: {version}, {reason}", markup=False)
    for name in (*done.removed, *(Path(path).name for path in done.work)):
        console.print(f"{verb}: {name}", markup=False)
    for version in done.unreachable:
        console.print(f"the store did not give up {version}; the next run asks again", markup=False)
    console.print(f"{done.bytes / 1e6:.1f} MB {verb}")
