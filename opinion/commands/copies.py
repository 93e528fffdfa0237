"""`opinion copies`: which documents of a file are copies of one another, without any server."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from core.copies import FILE_BANDS, Signature, compared_text, sign
from core.copy_clusters import components
from core.errors import UsageError
from core.records import Document
from core.settings import Settings, load_settings
from core.windows import EPOCH
from streams.intake import IntakeLimits
from streams.sources.files import BadLine, read_documents

stderr = Console(stderr=True)
SIGNED_AT_ONCE = 1024  # the shingles of so many texts are in memory together
SHOWN_CLUSTERS = 20
SHOWN_CHARS = 60
SHOWN_BAD_LINES = 20
NO_DAY = 0


@dataclass
class _Read:
    """What is kept of a file: of each document its id, its signature and how it begins."""

    ids: list[str] = field(default_factory=list)
    signatures: list[Signature | None] = field(default_factory=list)
    days: list[int] = field(default_factory=list)
    beginnings: list[str] = field(default_factory=list)
    bad: list[BadLine] = field(default_factory=list)

    def take(self, documents: Sequence[Document], *, with_days: bool) -> None:
        """Sign a part of the file."""
        self.signatures += sign([compared_text(document.title, document.text) for document in documents])
        for document in documents:
            self.ids.append(document.id)
            self.beginnings.append(document.text[:SHOWN_CHARS])
            if with_days:
                if document.published_at is None:
                    raise UsageError(
                        f"{document.id}: no published_at, and --window goes by it", remedy="leave --window out"
                    )
                self.days.append((document.published_at - EPOCH).days)


def copies(
    file: Annotated[
        Path, typer.Argument(help="JSONL, JSONL.gz or CSV of documents, as `opinion import` reads them.")
    ],
    window: Annotated[
        int | None,
        typer.Option(help="Copies are published at most so many days (UTC) apart; else at any time.", min=0),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help='`{"clusters": [[ids], …]}` on stdout.')] = False,
) -> None:
    """Find copies and near-copies: clusters of two or more, in the order of the file.

    A document counts by its title and text. Bad lines are reported with their number and left out.

    Example: opinion copies news.jsonl.gz --json
    """
    read = _read(file, load_settings(), with_days=window is not None)
    days = read.days if window is not None else None
    found = [part for part in components(read.signatures, FILE_BANDS, days, window or 0) if len(part) > 1]
    for line in read.bad[:SHOWN_BAD_LINES]:
        stderr.print(f"line {line.line}: {line.reason}", markup=False)
    if len(read.bad) > SHOWN_BAD_LINES:
        stderr.print(f"… and {len(read.bad) - SHOWN_BAD_LINES} more bad lines")
    if as_json:
        clusters = [[read.ids[n] for n in part] for part in found]
        typer.echo(json.dumps({"clusters": clusters}, ensure_ascii=False))
    else:
        _print(read, found)


def _read(file: Path, settings: Settings, *, with_days: bool) -> _Read:
    limits = IntakeLimits.of(settings)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    read, part = _Read(), []
    with Progress(*columns, console=stderr, transient=True) as bar:
        task = bar.add_task(file.name, total=file.stat().st_size if file.is_file() else None)
        for item, progress in read_documents(file, limits):
            if isinstance(item, BadLine):
                read.bad.append(item)
                continue
            part.append(item)
            if len(part) == SIGNED_AT_ONCE:
                read.take(part, with_days=with_days)
                bar.update(task, completed=progress.read_bytes)
                part = []
        read.take(part, with_days=with_days)
    return read


def _print(read: _Read, found: Sequence[Sequence[int]]) -> None:
    """The largest clusters, with the beginning of their first text."""
    carriers = sum(map(len, found))
    independent = len(read.ids) - carriers + len(found)
    title = f"{len(read.ids):,} documents, {independent:,} of them independent: {len(found):,} clusters of copies"
    table = Table("carriers", "first", "text", title=title)
    for part in sorted(found, key=lambda part: (-len(part), part[0]))[:SHOWN_CLUSTERS]:
        table.add_row(f"{len(part):,}", Text(read.ids[part[0]]), Text(read.beginnings[part[0]]))
    Console().print(table)
    if len(found) > SHOWN_CLUSTERS:
        stderr.print(f"… and {len(found) - SHOWN_CLUSTERS:,} smaller clusters; --json lists all")
