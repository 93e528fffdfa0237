"""`opinion classify`: the classifier over files, without any server."""

import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import IO, Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from core.records import Document, Opinion
from core.settings import Settings, load_settings
from core.watchlist_file import load_watchlists
from opinion.champion import load_classifier
from streams.classify import opinions_on
from streams.intake import IntakeLimits
from streams.sources.files import BadLine, read_documents

stderr = Console(stderr=True)
DOCUMENTS_AT_ONCE = 4096  # enough to group texts of equal length, little enough to show progress
SHOWN_BAD_LINES = 20


def classify(
    file: Annotated[Path, typer.Argument(help="JSONL, JSONL.gz or CSV of documents (`text`, `title`, `id`, …).")],
    checkpoint: Annotated[
        str | None, typer.Option(help="`starter`, a folder or a hub id; else the champion.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="One JSON line per document goes here, else to stdout.")] = None,
    watchlists: Annotated[
        Path | None, typer.Option(help="Watchlist file; each line gets its mentions. Else the setting's.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object with counts on stdout.")] = False,
) -> None:
    """Say topic and sentiment of every document of a file, and toward each watchlist it mentions.

    Bad lines are counted and reported with their line number; they never stop the run.

    Example: opinion classify news.jsonl.gz --out verdicts.jsonl
    """
    settings = load_settings()
    watched = load_watchlists(watchlists or settings.watchlists)
    classifier = load_classifier(settings, checkpoint)
    judge = partial(opinions_on, classifier, watched)
    writes_lines = out is not None or not as_json
    bad: list[BadLine] = []
    topics: Counter[str] = Counter()
    sentiments: Counter[str] = Counter()
    uncertain: Counter[str] = Counter(topic=0, sentiment=0)
    started = time.monotonic()
    with out.open("w", encoding="utf-8") if out else nullcontext(sys.stdout) as lines:
        for documents, opinions in _classified(file, judge, settings, bad):
            topics.update(opinion.topic_label for opinion in opinions)
            sentiments.update(opinion.sentiment for opinion in opinions)
            uncertain["topic"] += sum(opinion.topic_uncertain for opinion in opinions)
            uncertain["sentiment"] += sum(opinion.sentiment_uncertain for opinion in opinions)
            if writes_lines:
                _write(lines, documents, opinions)
    seconds = time.monotonic() - started
    result = {
        "documents": sentiments.total(),
        "rejected": len(bad),
        "topics": dict(topics.most_common()),
        "sentiments": dict(sentiments.most_common()),
        "uncertain": dict(uncertain),
        "seconds": round(seconds, 2),
        "documents_per_second": round(sentiments.total() / seconds, 1),
        "model_version": classifier.version,
    }
    _report(result, bad, as_json=as_json)


def _classified(
    file: Path, judge: Callable[[Sequence[Document]], list[Opinion]], settings: Settings, bad: list[BadLine]
) -> Iterator[tuple[list[Document], list[Opinion]]]:
    """Parts of the file with their opinions, in order; bad lines are put aside."""
    limits = IntakeLimits.of(settings)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    part: list[Document] = []
    with Progress(*columns, console=stderr, transient=True) as bar:
        task = bar.add_task(file.name, total=file.stat().st_size if file.is_file() else None)
        for item, progress in read_documents(file, limits):
            if isinstance(item, BadLine):
                bad.append(item)
                continue
            part.append(item)
            if len(part) == DOCUMENTS_AT_ONCE:
                yield part, judge(part)
                bar.update(task, completed=progress.read_bytes)
                part = []
        if part:
            yield part, judge(part)


def _write(lines: IO[str], documents: Sequence[Document], opinions: Sequence[Opinion]) -> None:
    for document, opinion in zip(documents, opinions, strict=True):
        verdict: dict[str, Any] = {
            "id": document.id,
            **({"title": document.title} if document.title else {}),
            "text": document.text,
            **msgspec.to_builtins(opinion),
        }
        lines.write(json.dumps(verdict, ensure_ascii=False) + "\n")


def _report(result: dict[str, Any], bad: Sequence[BadLine], *, as_json: bool) -> None:
    for line in bad[:SHOWN_BAD_LINES]:
        stderr.print(f"line {line.line}: {line.reason}", markup=False)
    if len(bad) > SHOWN_BAD_LINES:
        stderr.print(f"… and {len(bad) - SHOWN_BAD_LINES} more bad lines")
    if as_json:
        typer.echo(json.dumps(result, ensure_ascii=False))
        return
    table = Table(title=f"{result['documents']} documents", show_header=False)
    for name in ("sentiments", "topics", "uncertain"):
        counts = ", ".join(f"{label} {count}" for label, count in result[name].items())
        table.add_row(name, counts)
    for name in ("rejected", "documents_per_second", "model_version"):
        table.add_row(name.replace("_", " "), str(result[name]))
    stderr.print(table)
