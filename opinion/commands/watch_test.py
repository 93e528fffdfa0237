"""`opinion watch test`: what a watchlist file finds in a file of documents, without any server."""

import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from core.settings import load_settings
from core.texts import whole_text
from core.watchlist_file import read_watchlists
from core.watchlists import Span, Watchlists
from streams.intake import IntakeLimits
from streams.sources.files import BadLine, read_documents

EXAMPLES: Final = 3  # of each watchlist
AROUND: Final = 20  # characters on each side of the first mention
SHOWN_BAD_LINES: Final = 20
stderr = Console(stderr=True)


def try_file(
    watch: Annotated[Path, typer.Argument(metavar="WATCH.yaml", help="A watchlist file.")],
    documents: Annotated[Path, typer.Argument(metavar="DOCS", help="JSONL, JSONL.gz or CSV of documents.")],
    as_json: Annotated[bool, typer.Option("--json", help="The ids that each watchlist matches, on stdout.")] = False,
) -> None:
    """Show which documents of a file each watchlist matches, with examples.

    Documents are read as the intake reads them; one without an id gets the id that it would get there. Bad lines are
    reported and passed over.

    Example: opinion watch test watch.yaml news.jsonl.gz
    """
    settings = load_settings()
    watched = Watchlists(read_watchlists(watch))
    matched: dict[str, list[str]] = {name: [] for name in watched.names}
    examples: defaultdict[str, list[Text]] = defaultdict(list)
    read, bad = 0, list[BadLine]()
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=stderr, transient=True) as bar:
        task = bar.add_task(documents.name, total=documents.stat().st_size if documents.is_file() else None)
        for item, progress in read_documents(documents, IntakeLimits.of(settings)):
            if isinstance(item, BadLine):
                bad.append(item)
                continue
            read += 1
            text = whole_text(item.title, item.text, item.quoted_text)
            for name, spans in watched.find(text, source=item.source, lang=item.lang or "").items():
                matched[name].append(item.id)
                if not as_json and len(examples[name]) < EXAMPLES:
                    examples[name].append(_example(text, spans))
            if read % 1000 == 0:
                bar.update(task, completed=progress.read_bytes)
    for line in bad[:SHOWN_BAD_LINES]:
        stderr.print(f"line {line.line}: {line.reason}", markup=False)
    if len(bad) > SHOWN_BAD_LINES:
        stderr.print(f"… and {len(bad) - SHOWN_BAD_LINES} more bad lines")
    if as_json:
        typer.echo(json.dumps(matched, ensure_ascii=False))
        return
    table = Table("watchlist", "matched", "for example", title=f"{read} documents")
    for name, ids in matched.items():
        table.add_row(Text(name), str(len(ids)), Text("\n").join(examples[name]))
    Console().print(table)


def _example(text: str, spans: Sequence[Span]) -> Text:
    """The surroundings of the first mention on one line, mentions in bold."""
    start, end = max(0, spans[0].start - AROUND), spans[0].end + AROUND
    example = Text("…" if start else "")
    place = start
    for span in spans:
        if span.end > end:
            break
        example.append(_visible(text[place : span.start]))
        example.append(_visible(text[span.start : span.end]), style="bold yellow")
        place = span.end
    example.append(_visible(text[place:end]))
    return example.append("…" if end < len(text) else "")


def _visible(text: str) -> str:
    """Crawled text on a terminal: no line breaks, escape codes or direction overrides."""
    return "".join(character if character.isprintable() else " " for character in text)
