"""`opinion retrain`: the periodic job, now."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from core.errors import GateRefusedError, UsageError
from core.settings import Settings, load_settings
from opinion.commands.registry import tell_workers
from opinion.learning import retrain_options
from opinion.retraining import OnProgress, RetrainResult
from opinion.retraining import retrain as run_retrain
from opinion.servers import servers
from opinion.snapshot import export, same_as, take_snapshot
from opinion.training_child import Progress
from storage import training_runs
from storage.engine import connect

LINE_EVERY_SECONDS = 30.0  # progress lines where there is no terminal to draw a bar on


def retrain(
    min_labels: Annotated[
        int, typer.Option(help="Do nothing when fewer labels than this are new since the last run.", min=0)
    ] = 0,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Train nothing; say what a run would learn from now.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="With --dry-run: write the texts of each part here (JSONL or JSONL.gz).")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Fine-tune the champion on all labels and compare the two; an accepted candidate goes into shadow.

    Texts of the gold set, which no model is trained on, are for the comparison, and what the champion knows is mixed
    in so that nothing is forgotten. A run that was broken off is gone on with, if no label came since. In shadow the
    candidate judges live documents before it is promoted, see `opinion models shadow`. Exit code 5 when the
    comparison says no, 3 while another run is at work; nothing to do is no failure.

    Example: opinion retrain --min-labels 100
    """
    settings = load_settings()
    if out is not None and not dry_run:
        raise UsageError("--out writes what a run would learn from", remedy="add --dry-run")
    if dry_run:
        _foretell(settings, out, as_json)
        return
    console = Console(stderr=True)
    with servers(settings, need_kafka=False) as addresses:
        engine = connect(addresses.database_url)
        try:
            with _progress(console) as on_progress:
                result = run_retrain(
                    engine,
                    retrain_options(settings),
                    min_new_labels=min_labels,
                    now=datetime.now(UTC),
                    on_progress=on_progress,
                )
            if result.promoted:
                tell_workers(settings, engine, console)
        finally:
            engine.dispose()
    if as_json:
        typer.echo(json.dumps(asdict(result)))
    else:
        _show(result)
    if result.run is not None and not result.promoted and result.shadow is None:
        raise GateRefusedError(
            f"the champion {result.champion} stays",
            remedy=f"more or better labels; or, knowing why: opinion models promote {result.candidate}",
        )


def _foretell(settings: Settings, out: Path | None, as_json: bool) -> None:
    options = retrain_options(settings)
    with servers(settings, need_kafka=False) as addresses:
        engine = connect(addresses.database_url)
        try:
            with engine.connect() as connection:
                found = take_snapshot(
                    connection, options.learning, held_out_share=options.held_out_share, now=datetime.now(UTC)
                )
                last = training_runs.last_judged(connection)
        finally:
            engine.dispose()
    if isinstance(found, str):
        typer.echo(json.dumps({"hash": None, "reason": found}) if as_json else f"Nothing to learn from: {found}.")
        return
    if out is not None:
        export(found, out)
    is_new = not same_as(found, last)
    if as_json:
        body = {"hash": found.hash, "is_new": is_new, **found.described(), "out": None if out is None else str(out)}
        typer.echo(json.dumps(body))
        return
    typer.echo(
        f"Snapshot {found.hash[:16]}: " + ("a run would begin" if is_new else "nothing is new since the last run")
    )
    for name, count in found.counts().items():
        typer.echo(f"  {name}: {count}")


@contextmanager
def _progress(console: Console) -> Iterator[OnProgress]:
    """A bar on a terminal, else a line every half minute."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    bar = Bar(*columns, console=console, transient=True, disable=not console.is_terminal)
    task = bar.add_task("starting", total=None)
    told_at = time.monotonic()

    def report(at: Progress) -> None:
        nonlocal told_at
        dev = "".join(f" · {name.replace('_', ' ')} {value:.3f}" for name, value in at.dev.items())
        bar.update(task, description=at.stage + dev, completed=at.step, total=at.steps or None)
        if not console.is_terminal and time.monotonic() - told_at > LINE_EVERY_SECONDS:
            told_at = time.monotonic()
            console.print(f"{at.stage}: step {at.step}/{at.steps}{dev}", markup=False)

    with bar:
        yield report


def _show(result: RetrainResult) -> None:
    console = Console(highlight=False, soft_wrap=True)
    if result.run is None:
        console.print(f"Nothing to do: {'; '.join(result.reasons)}.", markup=False)
        return
    verdict = (
        "promoted" if result.promoted else "refused" if result.shadow is None else "accepted: it is in shadow now"
    )
    console.print(f"Run {result.run}: {result.candidate} was {verdict}; champion before: {result.champion}")
    for reason in result.reasons:
        console.print(f"  {reason}", markup=False)
    if result.shadow is not None:
        console.print(f"What it says of live documents: opinion models shadow {result.candidate}", markup=False)
