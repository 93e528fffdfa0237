"""`opinion models report`: why a candidate was accepted or refused, as one page."""

import json
from pathlib import Path
from typing import Annotated, Literal

import typer
from sqlalchemy import Connection

from core.errors import NotFoundError
from core.settings import load_settings
from opinion.servers import database
from storage import model_versions, training_runs


def report(
    which: Annotated[str, typer.Argument(metavar="RUN|VERSION", help="Of `opinion models list`.")],
    out: Annotated[
        Path | None, typer.Option(help="The HTML file to write; `report-VERSION.html` in this folder if absent.")
    ] = None,
    lang: Annotated[Literal["zh", "en"], typer.Option(help="The language of the page.")] = "en",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Write the verdict on a candidate as one HTML page: checks, intervals, slices, confusion, changed answers.

    Example: opinion models report 7 --lang zh --out verdict.html
    """
    from models.gate_record import read_record  # scikit-learn is for those who read a verdict only
    from models.gate_report import render
    from models.gate_report_checks import verdict_sentence

    settings = load_settings()
    with database(settings) as engine, engine.connect() as connection:
        folder = _folder(connection, which)
    record, examples = read_record(folder)
    path = out or Path(f"report-{record.candidate}.html")
    try:
        path.write_text(render(record, examples, lang), encoding="utf-8")
    except OSError as error:
        raise NotFoundError(
            f"{path} cannot be written: {error.strerror}", remedy="name another file: --out"
        ) from error
    if as_json:
        body = {
            "candidate": record.candidate,
            "champion": record.champion,
            "is_accepted": record.verdict.is_accepted,
            "reasons": record.verdict.reasons,
            "report": str(path),
        }
        typer.echo(json.dumps(body, ensure_ascii=False))
    else:
        typer.echo(verdict_sentence(record, lang))
        typer.echo(f"the report is {path}")


def _folder(connection: Connection, which: str) -> Path:
    """The candidate's folder, of a run's number or a version's name."""
    version = which
    if which.isdecimal():
        run = training_runs.get(connection, int(which))
        if run is None:
            raise NotFoundError(f"there is no retrain run {which}", remedy="opinion models list")
        if run.candidate is None:
            raise NotFoundError(f"run {which} brought no candidate: {'; '.join(run.reasons) or 'it is at work'}")
        version = run.candidate
    known = {one.version: one.path for one in model_versions.versions(connection)}
    if version not in known:
        raise NotFoundError(f"no model version {version}", remedy="opinion models list")
    return Path(known[version])
