"""`opinion models overlap`: how many negatives a model finds where the one before it finds one."""

import json
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from core.settings import load_settings
from opinion.champion import load_classifier
from opinion.model_overlap import SAMPLE, Measured, measure
from opinion.servers import database
from storage import model_versions
from streams.model_files import brought_here, model_store

stderr = Console(stderr=True, highlight=False)


def overlap(
    version: Annotated[
        str | None,
        typer.Argument(help="A version of `models list`, or a checkpoint's folder; the champion if absent."),
    ] = None,
    texts: Annotated[int, typer.Option(min=1, max=100_000, help="Judge so many stored documents.")] = SAMPLE,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Have a model judge stored documents that the one before it judged, so that its switch raises no alarm.

    The scheduler does so after every promotion; by hand it can be done before. Example: opinion models overlap
    """
    settings = load_settings()
    with database(settings) as engine:
        with engine.connect() as connection:
            champion = model_versions.champion(connection)
            known = {one.version: one.path for one in model_versions.versions(connection)}
        path = known.get(version, version) if version else champion.path if champion else None
        if path is not None:
            path = brought_here(path, engine, home=settings.home, store=model_store(settings))
        classifier = load_classifier(settings, path)
        stderr.print(f"Judging up to {texts} documents with {classifier.version} …", markup=False)

        def judge(batch: Sequence[str]) -> list[str]:
            return [opinion.sentiment for opinion in classifier.classify(list(batch))]

        measured = measure(engine, classifier.version, judge, texts=texts)
    if as_json:
        typer.echo(json.dumps(_body(measured), ensure_ascii=False))
    else:
        _show(measured)


def _body(measured: Measured) -> dict[str, object]:
    return {
        "old": measured.old,
        "new": measured.new,
        "documents": measured.all.documents,
        "negative_old": measured.all.negative_old,
        "negative_new": measured.all.negative_new,
        "ratio": measured.all.negative_new / measured.all.negative_old if measured.all.negative_old else None,
        "by_label": [
            {name: getattr(row, name) for name in type(row).__dataclass_fields__} for row in measured.rows[1:]
        ],
    }


def _show(measured: Measured) -> None:
    table = Table(title=f"{measured.all.documents} documents, judged by both")
    for heading in ("label", "documents", f"negative by {measured.old}", f"negative by {measured.new}"):
        table.add_column(_plain(heading))
    for row in measured.rows:
        label = f"{row.label}={row.value}" if row.label else "all"
        table.add_row(_plain(label), str(row.documents), str(row.negative_old), str(row.negative_new))
    Console().print(table)


def _plain(value: str) -> str:
    """Crawled names cannot style the table nor steer the terminal."""
    return "".join(c for c in value if c.isprintable()).replace("[", r"\[")
