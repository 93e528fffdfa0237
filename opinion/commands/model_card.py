"""`opinion models card`: the card of a trained checkpoint, made anew without training it."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from core.settings import load_settings

stderr = Console(stderr=True)


def card(
    checkpoint: Annotated[Path, typer.Argument(help="The folder of a trained checkpoint; its card is replaced.")],
    recipe: Annotated[Path, typer.Option(help="The recipe that it was trained by.")],
    data: Annotated[Path, typer.Option(help="The folder that the recipe's files are relative to.")],
) -> None:
    """Write README.md and its pictures into a checkpoint: figures on the recipe's test files, calibration, doubt.

    Example: opinion models card var/starter --recipe models/recipes/starter.yaml --data ../shared/data
    """
    from models.checkpoints import CARD_FILE, resolve
    from models.recipe import load_recipe
    from models.release import describe

    folder = resolve(checkpoint)
    describe(
        folder,
        load_recipe(recipe, load_settings().models.base),
        data,
        on_file=lambda name: stderr.print(f"evaluating {name}", markup=False),
    )
    typer.echo(f"the card is {folder / CARD_FILE}")
