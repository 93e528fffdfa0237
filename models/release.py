"""What turns a trained folder into a checkpoint that can be judged: a version, figures on test files, a card."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from models.checkpoints import CARD_FILE, load_checkpoint
from models.datasets import read_labelled
from models.evaluation import evaluate
from models.finetune import Trained
from models.inference import Classifier
from models.model_card import CardFacts, model_card
from models.recipe import Recipe
from models.registry import ModelVersion, stamp

OnFile = Callable[[str], None]


def release(
    trained: Trained, recipe: Recipe, data: Path, *, created_at: datetime, on_file: OnFile = lambda _: None
) -> ModelVersion:
    """Write `version.json` and the card, with figures on every test file of the recipe. Blocks for minutes.

    Args:
        on_file: hears the name of each test file before it is read.
    """
    version = stamp(trained.folder, recipe.name, parent=recipe.base, created_at=created_at)
    classifier = Classifier.load(trained.folder, cache_entries=0)
    tests = {}
    for name in recipe.test:
        on_file(name)
        rows = read_labelled(data / name)
        tests[Path(name).name] = evaluate(rows, classifier.classify([row.text for row in rows]))
    model, _ = load_checkpoint(trained.folder)
    epochs = f"Training ended after {trained.epochs:.2f} of at most {recipe.optimisation.epochs:g} epochs."
    facts = CardFacts(recipe.name, trained.rows, trained.dev, tests, (epochs, *recipe.notes))
    card = model_card(version, model.config, model.num_parameters(), facts)
    (trained.folder / CARD_FILE).write_text(card, encoding="utf-8")
    return version
