"""`opinion models`: train and evaluate checkpoints."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

if TYPE_CHECKING:  # the real imports load torch, which every other command can do without
    from models.training import OnProgress
    from models.training import Progress as TrainingProgress

app = typer.Typer(help="Train, evaluate, list, promote and roll back classifiers.", no_args_is_help=True)
LINE_EVERY_SECONDS = 30.0  # progress lines where there is no terminal to draw a bar on


@app.callback()
def models() -> None:
    """Train, evaluate, list, promote and roll back classifiers."""


@app.command()
def train(
    recipe: Annotated[Path, typer.Option(help="The recipe, a YAML file.")],
    data: Annotated[Path, typer.Option(help="The folder that the recipe's files are relative to.")],
    out: Annotated[Path, typer.Option(help="Where the checkpoint goes.")],
    resume: Annotated[bool, typer.Option("--resume", help="Go on where an earlier run into OUT stopped.")] = False,
) -> None:
    """Train a checkpoint from a recipe.

    Example: opinion models train --recipe models/recipes/starter.yaml --data ../shared/data --out var/starter
    """
    from models.finetune import train_recipe
    from models.recipe import load_recipe

    loaded = load_recipe(recipe)
    console = Console(stderr=True)
    console.print(f"training [bold]{loaded.name}[/] into {out}")
    with training_progress(console) as on_progress:
        trained = train_recipe(loaded, data, out, resume=resume, on_progress=on_progress)
    console.print(f"dev macro-F1: {trained.dev}")
    typer.echo(str(trained.folder))


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


def _figures(progress: "TrainingProgress") -> str:
    loss = [] if progress.loss is None else [f"loss {progress.loss:.3f}"]
    return " ".join([*loss, *(f"{name} {value:.3f}" for name, value in progress.dev.items())])
