"""`opinion import` and `opinion topics`: documents of files onto the raw topic, and the topics themselves."""

import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from core.records import Document
from core.settings import Settings, load_settings
from opinion.servers import servers
from streams import topics
from streams.intake import IntakeLimits
from streams.sources.files import BadLine, read_documents
from streams.sources.producer import DocumentProducer, paced

stderr = Console(stderr=True)
topics_app = typer.Typer(help="The Kafka topics of the manifest.", no_args_is_help=True)


def import_files(
    files: Annotated[list[Path], typer.Argument(help="JSONL, JSONL.gz or CSV files of documents.")],
    rate: Annotated[float | None, typer.Option(help="At most so many documents a second.", min=0.001)] = None,
    rejects: Annotated[Path, typer.Option(help="Where bad lines go, with line number and reason.")] = Path(
        "rejects.jsonl"
    ),
    wait: Annotated[bool, typer.Option("--wait", help="Wait until workers have settled everything.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Put the documents of files onto `opinion.document.raw.v1`.

    Fields: id, text, title, kind, source, url, author, lang, published_at (or created_at), parent_id, metrics.
    Bad lines are counted and written to the rejects file; they never stop the import.

    Example: opinion import news.jsonl.gz comments.csv --wait
    """
    settings = load_settings()
    with servers(settings, need_postgres=wait) as addresses:
        topics.apply(addresses.kafka_bootstrap, settings.kafka)
        started = time.monotonic()
        bad: list[tuple[Path, BadLine]] = []
        topic = settings.kafka.topic_prefix + topics.RAW
        with DocumentProducer(addresses.kafka_bootstrap, topic) as producer:
            for document in paced(_documents(files, settings, bad), rate):
                producer.send(document)
        _write_rejects(rejects, bad)
        seconds = time.monotonic() - started
        result: dict[str, object] = {
            "documents": producer.count,
            "rejected": len(bad),
            "seconds": round(seconds, 2),
            "documents_per_second": round(producer.count / seconds, 1),
        }
        if bad:
            result["rejects_file"] = str(rejects)
        if wait:
            from opinion.settling import wait_until_settled

            result |= asdict(wait_until_settled(addresses.database_url, topic, producer.end_offsets, started))
    _show("Imported", result, as_json)


@topics_app.command("plan")
def plan(as_json: Annotated[bool, typer.Option("--json")] = False) -> None:
    """Say what `topics apply` would do.  Example: opinion topics plan"""
    _topics(as_json, is_dry=True)


@topics_app.command("apply")
def apply(as_json: Annotated[bool, typer.Option("--json")] = False) -> None:
    """Create the topics that are missing.  Example: opinion topics apply"""
    _topics(as_json, is_dry=False)


def _topics(as_json: bool, *, is_dry: bool) -> None:
    settings = load_settings()
    with servers(settings, need_postgres=False) as addresses:
        work = topics.plan if is_dry else topics.apply
        changes = work(addresses.kafka_bootstrap, settings.kafka)
    if as_json:
        typer.echo(json.dumps({"topics": [asdict(change) for change in changes]}))
        return
    table = Table("topic", "plan" if is_dry else "done", "detail")
    for change in changes:
        table.add_row(change.topic, change.action, change.detail)
    Console().print(table)


def _documents(files: Iterable[Path], settings: Settings, bad: list[tuple[Path, BadLine]]) -> Iterator[Document]:
    """Every document of the files, with a progress bar; bad lines are put aside."""
    limits = IntakeLimits.of(settings)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=stderr, transient=True) as bar:
        for path in files:
            task = bar.add_task(path.name, total=path.stat().st_size if path.is_file() else None)
            for item, progress in read_documents(path, limits):
                bar.update(task, completed=progress.read_bytes)
                if isinstance(item, BadLine):
                    bad.append((path, item))
                else:
                    yield item


def _write_rejects(path: Path, bad: list[tuple[Path, BadLine]]) -> None:
    if not bad:
        return
    with path.open("w", encoding="utf-8") as out:
        for file, line in bad:
            out.write(json.dumps({"file": file.name, **asdict(line)}, ensure_ascii=False) + "\n")
    stderr.print(f"{len(bad)} bad lines, with reasons, are in {path}")


def _show(title: str, result: dict[str, object], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(result))
        return
    table = Table(title=title, show_header=False)
    for name, value in result.items():
        table.add_row(name.replace("_", " "), f"{value}")
    Console().print(table)
