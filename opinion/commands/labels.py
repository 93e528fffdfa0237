"""`opinion labels`: people's answers in and out."""

import json
import sys
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import IO, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from sqlalchemy import Engine

from core.errors import GateRefusedError
from core.queries import parse_query
from core.settings import load_settings
from opinion.commands import labels_settle
from opinion.label_files import write_labels, write_rejects
from opinion.label_import import Imported, ImportOptions, import_file
from opinion.label_studio import answered_tasks, labelling_config, open_tasks
from opinion.servers import servers
from storage import human_labels, labelling_texts
from storage.engine import connect
from storage.search import MOST, Wanted, search

app = typer.Typer(help="People's answers: what the models learn from.", no_args_is_help=True)
stderr = Console(stderr=True)


class ExportFormat(StrEnum):
    """How labels are written."""

    jsonl = "jsonl"
    csv = "csv"
    label_studio = "label-studio"


@app.callback()
def labels() -> None:
    """People's answers: what the models learn from."""


@app.command("import")
def import_labels(
    files: Annotated[list[Path], typer.Argument(help="JSONL, CSV or Label Studio JSON; also gzipped.")],
    annotator: Annotated[str, typer.Option(help="Who answered, for lines that do not say.")] = "import",
    strict: Annotated[bool, typer.Option("--strict", help="Refuse a file when one of its lines is bad.")] = False,
    rejects: Annotated[Path, typer.Option(help="Where bad lines go, with line number and reason.")] = Path(
        "label-rejects.jsonl"
    ),
    guideline: Annotated[str, typer.Option(help="Version of the guideline, for lines that do not say.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Store the labels of files; importing a file again changes nothing.

    Fields: id (of a stored document) or text, topic and/or sentiment, lang, source, annotator, labelled_at,
    guideline, seconds, is_adjudication. A .json file is Label Studio's export. Each file is one transaction. Lines
    with unknown classes, neither text nor known document, or answers that contradict each other are written to the
    rejects file with the reason.

    Example: opinion labels import answers.csv --annotator li --strict
    """
    settings = load_settings()
    options = ImportOptions(annotator=annotator, is_strict=strict, zone=settings.zone, guideline=guideline)
    with servers(settings, need_kafka=False) as addresses:
        engine = connect(addresses.database_url)
        try:
            results = [_import(engine, path, options) for path in files]
        finally:
            engine.dispose()
    bad = [(result.path, reject) for result in results for reject in result.rejects]
    if bad:
        write_rejects(rejects, bad)
        stderr.print(f"{len(bad)} bad lines, with reasons, are in {rejects}", markup=False)
    _show(results, str(rejects) if bad else None, as_json)
    refused = [str(result.path) for result in results if result.is_refused]
    if refused:
        raise GateRefusedError(
            f"nothing was imported from {', '.join(refused)}: bad lines, and --strict",
            remedy=f"mend the lines that {rejects} names, or import the good ones without --strict",
        )


@app.command("export")
def export_labels(
    out: Annotated[Path | None, typer.Option(help="The file; stdout if absent.")] = None,
    export_format: Annotated[
        ExportFormat, typer.Option("--format", help="jsonl, csv or label-studio.")
    ] = ExportFormat.jsonl,
) -> None:
    """Write every answer that stands, in the fields that `labels import` takes, or as tasks for Label Studio.

    In CSV, cells that a spreadsheet would run as a formula get a leading quote, which the import takes off again.

    Example: opinion labels export --out labels.csv --format csv
    """
    settings = load_settings()
    with servers(settings, need_kafka=False) as addresses:
        engine = connect(addresses.database_url)
        try:
            with engine.connect() as connection, _writable(out) as file:
                rows = human_labels.rows(connection)
                if export_format is ExportFormat.label_studio:
                    tasks = answered_tasks(rows)
                    json.dump(tasks, file, ensure_ascii=False, indent=1)
                    count = sum(len(one["result"]) for task in tasks for one in task["annotations"])
                else:
                    count = write_labels(file, rows, is_csv=export_format is ExportFormat.csv)
        finally:
            engine.dispose()
    stderr.print(f"{count} labels written{f' to {out}' if out else ''}", markup=False)


@app.command("tasks")
def label_studio_tasks(
    out: Annotated[Path | None, typer.Option(help="The file; stdout if absent.")] = None,
    config: Annotated[Path | None, typer.Option(help="Where the labelling interface goes, as XML.")] = None,
    query: Annotated[str | None, typer.Option(help="Only what `opinion search` finds by this.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=MOST, help="Tasks at most.")] = 100,
) -> None:
    """Write documents that nobody has answered about, the newest first, as tasks for Label Studio.

    The model's verdict goes along as a prediction. Import the file into a project with the labelling interface of
    --config; what is answered there comes back by `opinion labels import export.json`.

    Example: opinion labels tasks --out tasks.json --config interface.xml
    """
    settings = load_settings()
    with servers(settings, need_kafka=False) as addresses:
        engine = connect(addresses.database_url)
        try:
            with engine.connect() as connection:
                if query is None:
                    found = labelling_texts.newest_unanswered(connection, None, limit=limit)
                else:
                    hits = search(connection, Wanted(query=parse_query(query), limit=limit))
                    found = labelling_texts.by_id(connection, [hit.id for hit in hits])
        finally:
            engine.dispose()
    with _writable(out) as file:
        json.dump(open_tasks(found), file, ensure_ascii=False, indent=1)
        file.write("\n")
    if config:
        config.write_text(labelling_config(), encoding="utf-8")
    stderr.print(f"{len(found)} tasks written{f' to {out}' if out else ''}", markup=False)


def _import(engine: Engine, path: Path, options: ImportOptions) -> Imported:
    """One file, with a progress bar on a terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=stderr, transient=True) as bar:
        task = bar.add_task(f"{path.name}: reading", total=None)

        def on_stored(done: int, total: int) -> None:
            bar.update(task, description=f"{path.name}: storing", completed=done, total=total)

        return import_file(engine, path, options, now=datetime.now(UTC), on_stored=on_stored)


def _writable(out: Path | None) -> AbstractContextManager[IO[str]]:
    return nullcontext(sys.stdout) if out is None else out.open("w", encoding="utf-8", newline="")


def _show(results: list[Imported], rejects_file: str | None, as_json: bool) -> None:
    files: list[dict[str, Any]] = [
        {
            "file": str(result.path),
            "lines": result.lines,
            "labels": result.labels,
            "new": result.new,
            "linked": result.linked,
            "unlabelled": result.unlabelled,
            "rejected": len(result.rejects),
            "conflicting": sum(reject.reason == "conflicting_labels" for reject in result.rejects),
            "is_refused": result.is_refused,
        }
        for result in results
    ]
    if as_json:
        totals = {
            name: sum(file[name] for file in files) for name in ("lines", "labels", "new", "linked", "rejected")
        }
        typer.echo(json.dumps({**totals, "files": files, "rejects_file": rejects_file}))
        return
    table = Table(*(name.replace("_", " ") for name in files[0]), title="Labels")
    for file in files:
        table.add_row(*(str(value) for value in file.values()))
    Console().print(table)


app.command("agreement")(labels_settle.agreement_of_annotators)
app.command("conflicts")(labels_settle.conflicts_of_annotators)
app.command("adjudicate")(labels_settle.adjudicate_text)
