"""`opinion labels queue`: what people are asked to label next, and why."""

import json
import os
import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from alerts.rendering.excerpts import excerpt
from core.errors import CheckpointError
from core.logs import get_logger
from core.scrubbing import scrub
from core.settings import load_settings
from models.text_vectors import Floats, text_vectors
from opinion.label_filling import fill as fill_queue
from opinion.servers import servers
from storage import label_queue, label_queue_filling, model_versions
from storage.engine import connect
from storage.label_queue import QueueProgress
from storage.label_queue_filling import Listed

log = get_logger(__name__)
EXCERPT_CHARS = 60
EXCERPT_CHARS_JSON = 500

app = typer.Typer(help="What people are asked to label next, and why.")


@app.callback(invoke_without_command=True)
def queue(
    context: typer.Context,
    limit: Annotated[int, typer.Option(help="So many of the next documents.", min=1, max=5000)] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Show the next documents with the reason for each, and how the queue stands.

    Texts are shortened, and personal details in them are left out.

    Example: opinion labels queue --limit 5
    """
    if context.invoked_subcommand is not None:
        return
    with servers(load_settings(), need_kafka=False) as addresses:
        engine = connect(addresses.database_url)
        try:
            with engine.connect() as connection:
                rows = label_queue_filling.listed(connection, limit)
                progress = label_queue.progress(connection)
        finally:
            engine.dispose()
    if as_json:
        typer.echo(json.dumps({**_figures(progress), "next": [_row(row) for row in rows]}))
        return
    _show(rows, progress)


@app.command("fill")
def fill(
    niceness: Annotated[int, typer.Option(help="Let other processes go first: 0 not, 19 always.", min=0, max=19)] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Drop what is stale and top the queue up, now; the scheduler does it by itself every few minutes.

    Example: opinion labels queue fill
    """
    os.nice(niceness)
    settings = load_settings()
    with servers(settings, need_kafka=False) as addresses:
        engine = connect(addresses.database_url)
        try:
            with engine.connect() as connection:
                champion = model_versions.champion(connection)
            vectors_of = _vectors_of(champion.path if champion else settings.models.checkpoint)
            filled = fill_queue(engine, settings.sampling, datetime.now(UTC), random.SystemRandom(), vectors_of)
            with engine.connect() as connection:
                progress = label_queue.progress(connection)
        finally:
            engine.dispose()
    if as_json:
        body = {
            "drawn": filled.drawn,
            "added": filled.added,
            "dropped": filled.dropped,
            "is_busy": not filled.is_ours,
        }
        typer.echo(json.dumps({**body, **_figures(progress)}))
        return
    console = Console(highlight=False)
    if not filled.is_ours:
        console.print("Another fill is at work; nothing was done.")
        return
    console.print(f"Added {_counts(filled.added)}; dropped {_counts(filled.dropped)}; {filled.drawn} were looked at.")
    if not progress.waiting:
        console.print("The queue is empty: there are no documents that could be asked about.")


def _vectors_of(checkpoint: str) -> Callable[[Sequence[str]], Floats]:
    """By the champion's encoder; without one that can be loaded, by n-grams."""

    def vectors(texts: Sequence[str]) -> Floats:
        from models.state_vectors import state_vectors  # torch: only where something is to be chosen

        try:
            return state_vectors(checkpoint, texts)
        except CheckpointError as error:
            log.warning("label_queue_without_encoder", reason=error.message)
            return text_vectors(texts)

    return vectors


def _figures(progress: QueueProgress) -> dict[str, Any]:
    return {
        "waiting": progress.waiting,
        "taken": progress.taken,
        "partly": progress.partly,
        "done": progress.done,
        "skipped": progress.skipped,
        "done_last_day": progress.done_last_day,
    }


def _row(row: Listed) -> dict[str, Any]:
    return {
        "id": row.document_id,
        "published_at": row.published_at.isoformat(),
        "reason": row.reason,
        "score": row.score,
        "detail": row.detail,
        "queued_at": row.queued_at.isoformat(),
        "taken_by": row.taken_by,
        "taken_until": row.taken_until.isoformat() if row.taken_until else None,
        "answered_by": row.answered_by,
        "wanted": row.wanted,
        "text": scrub(row.text)[:EXCERPT_CHARS_JSON],
    }


def _show(rows: list[Listed], progress: QueueProgress) -> None:
    console = Console()
    table = Table("reason", "score", "why", "id", "text", title="Next to label")
    for row in rows:
        shown = excerpt(row.text, EXCERPT_CHARS)
        cells = (row.reason, f"{row.score:.2f}", _why(row), excerpt(row.document_id, EXCERPT_CHARS), shown)
        table.add_row(*(Text(cell) for cell in cells))  # Text: crawled words are not markup
    console.print(table)
    console.print(
        f"{_counts(progress.waiting)} waiting ({progress.taken} in hand); {progress.partly} await a second answer; "
        f"{progress.done} answered ({progress.done_last_day} in the last day); {progress.skipped} given up",
        markup=False,
        highlight=False,
    )


def _why(row: Listed) -> str:
    said = row.detail
    if row.reason == "alert":
        return f"incident {said.get('incident')}"
    if row.reason == "random":
        return "by chance"
    return f"{said.get('sentiment')} {said.get('sentiment_score')}, {said.get('topic')} {said.get('topic_score')}"


def _counts(by_name: Any) -> str:
    return ", ".join(f"{count} {name}" for name, count in by_name.items()) or "none"
