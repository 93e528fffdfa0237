"""`opinion import` and `opinion topics`: documents of files onto the raw topic, and the topics themselves."""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from core.records import Document
from core.settings import load_settings
from opinion.commands.reading_options import (
    EncodingOption,
    KindOption,
    LangOption,
    MapOption,
    SourceOption,
    TimeFormatOption,
    TimezoneOption,
    limits_of,
    reading_of,
)
from opinion.servers import servers
from streams import topics
from streams.intake import IntakeLimits
from streams.sources.files import BadLine, Reading, read_documents
from streams.sources.producer import DocumentProducer, paced
from streams.sources.rejects import Rejects

SHOWN_DOCUMENTS = 5  # of a dry run
SHOWN_CHARS = 60
stderr = Console(stderr=True)
topics_app = typer.Typer(help="The Kafka topics of the manifest.", no_args_is_help=True)


def import_files(
    files: Annotated[list[Path], typer.Argument(help="JSONL, CSV or Parquet files of documents.")],
    map_: MapOption = None,
    source: SourceOption = None,
    kind: KindOption = None,
    lang: LangOption = None,
    timezone: TimezoneOption = None,
    time_format: TimeFormatOption = "",
    encoding: EncodingOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be sent; send nothing.")] = False,
    rate: Annotated[float | None, typer.Option(help="At most so many documents a second.", min=0.001)] = None,
    rejects: Annotated[Path, typer.Option(help="Where bad lines go, with line number and reason.")] = Path(
        "rejects.jsonl"
    ),
    wait: Annotated[bool, typer.Option("--wait", help="Wait until workers have settled everything.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Put the documents of files onto `opinion.document.raw.v1`.

    Fields: id, text, title, kind, source, url, author, lang, published_at (or created_at), parent_id, likes, reposts,
    replies. Bad lines are counted and written to the rejects file; they never stop the import.

    Example: opinion import weibo.csv --map text=content --map published_at=time --source weibo --dry-run
    """
    settings = load_settings()
    reading = reading_of(map_, {"source": source, "kind": kind, "lang": lang}, time_format, encoding)
    limits = limits_of(settings, timezone)
    if dry_run:
        _dry_run(files, limits, reading, as_json=as_json)
        return
    with servers(settings, need_postgres=wait) as addresses:
        topics.apply(addresses.kafka_bootstrap, settings.kafka)
        started = time.monotonic()
        topic = settings.kafka.topic_prefix + topics.RAW
        with Rejects(rejects) as bad, DocumentProducer(addresses.kafka_bootstrap, topic) as producer:
            for document in paced(_documents(files, limits, reading, bad.add), rate):
                producer.send(document)
        seconds = time.monotonic() - started
        result: dict[str, object] = {
            "documents": producer.count,
            "rejected": bad.count,
            "seconds": round(seconds, 2),
            "documents_per_second": round(producer.count / seconds, 1),
        }
        if bad.count:
            result["rejects_file"] = str(rejects)
            stderr.print(f"{bad.count} bad lines, with reasons, are in {rejects}")
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


def _documents(
    files: Iterable[Path], limits: IntakeLimits, reading: Reading, on_bad: Callable[[str, BadLine], None]
) -> Iterator[Document]:
    """Every document of the files, with a progress bar; bad lines are put aside."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=stderr, transient=True) as bar:
        for path in files:
            task = bar.add_task(path.name, total=path.stat().st_size if path.is_file() else None)
            for item, progress in read_documents(path, limits, reading):
                bar.update(task, completed=progress.read_bytes)
                if isinstance(item, BadLine):
                    on_bad(path.name, item)
                else:
                    yield item


def _dry_run(files: Iterable[Path], limits: IntakeLimits, reading: Reading, *, as_json: bool) -> None:
    """Read everything, send nothing, and show the first documents and what is wrong with the others."""
    reasons: Counter[str] = Counter()
    bad: list[dict[str, Any]] = []

    def note(file: str, line: BadLine) -> None:
        reasons[line.reason if len(reasons) < SHOWN_DOCUMENTS or line.reason in reasons else "other reasons"] += 1
        if len(bad) < SHOWN_DOCUMENTS:
            bad.append({"file": file, **asdict(line)})

    documents = _documents(files, limits, reading, note)
    first = list(islice(documents, SHOWN_DOCUMENTS))
    count = len(first) + sum(1 for _ in documents)
    if as_json:
        shown = [msgspec.to_builtins(document) for document in first]
        result = {"documents": count, "rejected": reasons.total(), "first": shown, "first_rejected": bad}
        typer.echo(json.dumps(result, ensure_ascii=False))
        return
    table = Table(
        "id", "source", "kind", "published_at", "title", "text", title="The first documents; nothing is sent"
    )
    for one in first:
        at = one.published_at.astimezone(limits.zone).isoformat(" ", "minutes") if one.published_at else ""
        cells = (one.id, one.source, one.kind, at, one.title or "", one.text)
        table.add_row(*(Text(" ".join(cell[:SHOWN_CHARS].split())) for cell in cells))
    Console().print(table)
    summary: dict[str, object] = {"documents": count, "rejected": reasons.total()}
    _show("Would import", summary | {f"rejected: {reason}": n for reason, n in reasons.most_common()}, as_json)


def _show(title: str, result: dict[str, object], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(result))
        return
    table = Table(title=title, show_header=False)
    for name, value in result.items():
        table.add_row(Text(name.replace("_", " ")), Text(f"{value}"))
    Console().print(table)
