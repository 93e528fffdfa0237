"""What turns a trained folder into a checkpoint that can be judged: a version, figures on test files, a card."""

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

import msgspec

from core.errors import CheckpointError
from core.taxonomy import HEADS
from models.behaviour import card_section, examine
from models.behaviour_suite import load_suite
from models.card_figures import JudgedFile, card_figures
from models.card_pictures import draw
from models.checkpoints import CARD_FILE, load_checkpoint
from models.finetune import Trained, read_part, row_counts
from models.inference import Classifier
from models.lineage import ModelVersion, read_version
from models.model_card import CardFacts, model_card
from models.recipe import DataFile, Recipe
from models.registry import stamp

OnFile = Callable[[str], None]
TRAINING_FILE = "training.json"


class TrainingFacts(msgspec.Struct, frozen=True):
    """`training.json` of a checkpoint: what a card tells that cannot be measured again later.

    Attributes:
        rows: training rows by file or kind.
        dev: macro-F1 figures that the kept weights reached on dev.
        notes: how the training went.
    """

    rows: dict[str, int]
    dev: dict[str, float] = {}
    notes: list[str] = []


def release(
    trained: Trained, recipe: Recipe, data: Path, *, created_at: datetime, on_file: OnFile = lambda _: None
) -> ModelVersion:
    """Write `version.json`, `training.json` and the card, see `describe`. Blocks for minutes."""
    version = stamp(trained.folder, recipe.name, parent=recipe.base, created_at=created_at)
    epochs = f"Training ended after {trained.epochs:.2f} of at most {recipe.optimisation.epochs:g} epochs."
    facts = msgspec.json.encode(TrainingFacts(trained.rows, trained.dev, [epochs]))
    (trained.folder / TRAINING_FILE).write_bytes(msgspec.json.format(facts, indent=2) + b"\n")
    describe(trained.folder, recipe, data, on_file=on_file)
    return version


def describe(folder: Path, recipe: Recipe, data: Path, *, on_file: OnFile = lambda _: None) -> None:
    """Write the card of a trained checkpoint, with figures and pictures of every test file of its recipe.

    Blocks for minutes. Rows are counted anew for a checkpoint without `training.json`.

    Args:
        on_file: hears the name of each file before it is read.

    Raises:
        NotFoundError: a file of the recipe is missing under `data`.
        CheckpointError: the folder holds no checkpoint, or one without `version.json`.
    """
    read_version(folder)  # before the work, not after it
    classifier = Classifier.load(folder, cache_entries=0)
    parts = [part for part in recipe.dev if part.targets is None]
    chosen_by = {part.file for part in parts}

    def judged(part: DataFile) -> JudgedFile:
        on_file(part.file)
        rows = read_part(data, part)
        opinions = classifier.classify([row.text for row in rows])
        return JudgedFile(Path(part.file).name, rows, opinions, part.file not in chosen_by)

    tests = [judged(DataFile(file=file)) for file in recipe.test]
    dev = [judged(part) for part in parts]
    training = _training_facts(folder, recipe, data)
    behaviour = examine(load_suite(), classifier.classify, classifier.version)
    facts = CardFacts(
        recipe.name,
        training.rows,
        training.dev,
        notes=(*training.notes, *recipe.notes),
        baselines={
            (test.name, head): recipe.baselines[test.name]
            for test in tests
            if test.name in recipe.baselines
            for head in HEADS
        },
        sections=(
            card_section(behaviour),
            *((title, file.read_text(encoding="utf-8")) for title, file in recipe.sections.items()),
        ),
    )
    write_card(folder, facts, tests, dev)


def write_card(folder: Path, facts: CardFacts, tests: Sequence[JudgedFile], dev: Sequence[JudgedFile]) -> None:
    """The card and its pictures, into the folder of a stamped checkpoint.

    Args:
        tests, dev: with opinions of this checkpoint, see `card_figures`.
    """
    model, _ = load_checkpoint(folder)
    figures = card_figures(tests, dev, model.config.temperatures)
    pictures = draw(folder, figures, facts.baselines)
    card = model_card(read_version(folder), model.config, model.num_parameters(), facts, figures, pictures)
    (folder / CARD_FILE).write_text(card, encoding="utf-8")


def _training_facts(folder: Path, recipe: Recipe, data: Path) -> TrainingFacts:
    path = folder / TRAINING_FILE
    if not path.is_file():
        return TrainingFacts(row_counts([(part, read_part(data, part)) for part in recipe.train]))
    try:
        return msgspec.json.decode(path.read_bytes(), type=TrainingFacts)
    except msgspec.MsgspecError as error:
        raise CheckpointError(
            f"{path} cannot be read: {error}", remedy="remove it: the rows are counted anew then"
        ) from error
