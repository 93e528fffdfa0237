"""`opinion models`: train and evaluate checkpoints."""

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn, track

from core.clock import SystemClock
from core.records import Opinion
from core.settings import load_settings
from opinion.champion import load_classifier
from opinion.commands.model_figures import print_figures

if TYPE_CHECKING:  # the real imports load torch, which every other command can do without
    from models.evaluation import HeadFigures
    from models.inference import Classifier
    from models.training import OnProgress
    from models.training import Progress as TrainingProgress

app = typer.Typer(help="Train, evaluate, list, promote and roll back classifiers.", no_args_is_help=True)
stderr = Console(stderr=True)
LINE_EVERY_SECONDS = 30.0  # progress lines where there is no terminal to draw a bar on
TEXTS_AT_ONCE = 2048


@app.callback()
def models() -> None:
    """Train, evaluate, list, promote and roll back classifiers."""


@app.command()
def train(
    recipe: Annotated[Path, typer.Option(help="The recipe, a YAML file.")],
    data: Annotated[Path, typer.Option(help="The folder that the recipe's files are relative to.")],
    out: Annotated[Path, typer.Option(help="Where the checkpoint goes.")],
    resume: Annotated[bool, typer.Option("--resume", help="Go on where an earlier run into OUT stopped.")] = False,
    seed: Annotated[int | None, typer.Option(help="In place of the recipe's seed.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Train a checkpoint from a recipe: weights, tokenizer, version and a card with figures on its test files.

    Example: opinion models train --recipe models/recipes/starter.yaml --data ../shared/data --out var/starter
    """
    from models.finetune import train_recipe
    from models.recipe import load_recipe
    from models.release import release

    loaded = load_recipe(recipe, load_settings().models.base)
    if seed is not None:
        loaded = loaded.with_seed(seed)
    stderr.print(f"training {loaded.name} into {out}", markup=False)
    with training_progress(stderr) as on_progress:
        trained = train_recipe(loaded, data, out, resume=resume, on_progress=on_progress)
    version = release(
        trained,
        loaded,
        data,
        created_at=SystemClock().now(),
        on_file=lambda name: stderr.print(f"evaluating {name}", markup=False),
    )
    result = {"model_version": version.version, "checkpoint": str(trained.folder), "dev": trained.dev}
    typer.echo(json.dumps(result) if as_json else f"{version.version} is in {trained.folder}")


@app.command()
def evaluate(
    data: Annotated[list[Path], typer.Option(help="Labelled files, JSONL or JSONL.gz; more may follow it.")],
    more: Annotated[list[Path] | None, typer.Argument(metavar="[FILE]...", help="More labelled files.")] = None,
    checkpoint: Annotated[
        str | None, typer.Option(help="`starter`, a folder or a hub id; else the champion.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Say how good a checkpoint is on labelled files, per language and class; rows without a label are left out.

    ECE is the expected calibration error. "Present" limits the choice to classes that occur in the file.

    Example: opinion models evaluate --data ../shared/data/topic/tnews.test.jsonl.gz --json
    """
    from models.datasets import read_labelled
    from models.evaluation import by_language
    from models.evaluation import evaluate as figures_of

    classifier = load_classifier(load_settings(), checkpoint)
    files: dict[str, dict[str, HeadFigures]] = {}
    languages: dict[str, dict[str, dict[str, HeadFigures]]] = {}
    for path in [*data, *(more or [])]:
        rows = read_labelled(path)
        opinions = _classified(classifier, [row.text for row in rows], path.name)
        files[path.name] = figures_of(rows, opinions)
        languages[path.name] = by_language(rows, opinions)
    if as_json:
        result = {"files": files, "languages": languages, "model_version": classifier.version}
        typer.echo(json.dumps(result, ensure_ascii=False))
        return
    print_figures(Console(), classifier.version, files, languages)


@contextmanager
def training_progress(console: Console) -> "Iterator[OnProgress]":
    """A bar on a terminal, else a line every half minute."""
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[dev]}"),
        console=console,
        disable=not console.is_terminal,
    )
    task = bar.add_task("steps", total=None, dev="")
    started = last = time.monotonic()

    def report(progress: "TrainingProgress") -> None:
        nonlocal last
        bar.update(task, completed=progress.step, total=progress.steps, dev=_figures(progress))
        now = time.monotonic()
        if not console.is_terminal and (now - last > LINE_EVERY_SECONDS or progress.step == progress.steps):
            last = now
            console.print(
                f"step {progress.step}/{progress.steps} epoch {progress.epoch:.2f} "
                f"after {now - started:.0f} s {_figures(progress)}"
            )

    with bar:
        yield report


def _classified(classifier: "Classifier", texts: Sequence[str], name: str) -> list[Opinion]:
    starts = range(0, len(texts), TEXTS_AT_ONCE)
    return [
        opinion
        for start in track(starts, description=name, console=stderr, transient=True)
        for opinion in classifier.classify(texts[start : start + TEXTS_AT_ONCE])
    ]


def _figures(progress: "TrainingProgress") -> str:
    loss = [] if progress.loss is None else [f"loss {progress.loss:.3f}"]
    return " ".join([*loss, *(f"{name} {value:.3f}" for name, value in progress.dev.items())])
