"""A recipe: everything that decides how a checkpoint is trained, as a committed YAML file."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.errors import NotFoundError, UsageError
from models.targets import Teaches

Percent = Annotated[float, Field(ge=0, le=100)]
SaveDtype = Literal["float32", "float16", "int8"]
TrainingMethod = Literal["full", "lora", "heads"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DataFile(_Part):
    """One labelled file.

    Attributes:
        file: relative to the data folder.
        repeat: how often a row is seen in one epoch; 1.5 takes every row once and every second row twice.
        absent: classes that this source never answers with; see `datasets.LabelledText`.
        most_rows: only so many rows, evenly spread over the file; dev files need no more for a steady signal.
        targets: make rows with a marked target of it, see `models.targets`, instead of reading it as it is.
        pairs: with `targets`, so many texts joined of two.
    """

    file: str
    repeat: float = Field(1.0, gt=0)
    absent: tuple[str, ...] = ()
    most_rows: int | None = Field(None, ge=1)
    targets: Teaches | None = None
    pairs: int = Field(0, ge=0)


class TokenizerSettings(_Part):
    """How a tokenizer is trained: vocabulary with special tokens, and the longest piece."""

    pieces: int = Field(40_000, ge=300)
    max_piece_chars: int = Field(8, ge=1, le=16)


class Distillation(_Part):
    """Learning from what other classifiers think of the training rows, beside the labels; see `models.distillation`.

    Attributes:
        teachers: checkpoints of ours; the mean of their scores counts.
        weight: of the teachers in the loss; the labels have the rest.
        temperature: flattens the scores, so that the unlikely classes are heard as well.
        unlabelled: files whose rows without a label are read as well; the teachers alone say what they are.
    """

    teachers: tuple[str, ...] = Field(min_length=1)
    weight: float = Field(0.7, gt=0, le=1)
    temperature: float = Field(2.0, ge=1)
    unlabelled: tuple[str, ...] = ()


class Optimisation(_Part):
    """AdamW with linear warm-up and linear decay, stopped early on dev macro-F1.

    Attributes:
        method: which weights move, see `models.adaptation`.
        lora_rank: of the low-rank steps, with `lora`.
        micro_tokens: most tokens, padding included, of one forward and backward pass; a batch that is larger is
            worked off in several and its gradients are added up. Bounds the memory; no bound if absent.
        average_epochs: try the mean of all epochs' weights too, and keep it if it is better on dev.
        most_minutes: a slower machine decays the rate sooner and stops then, with what it has learnt.
    """

    epochs: float = Field(3, gt=0)
    most_minutes: float | None = Field(None, gt=0)
    batch_rows: int = Field(64, ge=1)
    method: TrainingMethod = "full"
    lora_rank: int = Field(8, ge=1)
    micro_tokens: int | None = Field(None, ge=1)
    learning_rate: float = Field(5e-5, gt=0)
    weight_decay: float = Field(0.01, ge=0)
    warmup_share: float = Field(0.06, ge=0, lt=1)
    patience_epochs: int = Field(2, ge=1)
    average_epochs: bool = False
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    seed: int = 7


class Recipe(_Part):
    """See the module docstring. Either `base` or `encoder` with `tokenizer` is given.

    Attributes:
        base: a pre-trained encoder, see `models.bases.load_base`.
        layers: so many of the base's layers are kept, the lowest ones; all if absent. The upper layers of an encoder
            serve its own task most (Sajjad et al. 2023, "On the effect of dropping layers").
        vocabulary: so many of the base's pieces are kept: those that the training texts need most.
        encoder: fields of the encoder's config, `model_type` among them, for training from nothing.
        dropout, encoder_dropout, word_dropout: before the heads, in the encoder (its own if absent), of whole words.
        max_length: tokens of one window, in training and later.
        distillation: teachers to learn from, if any.
        test: files for the figures on the model card, never trained on.
        baselines: accuracy and macro-F1, in percent, that the linear n-gram baseline reaches on a test file, by the
            file's name; the card says which of them the model beats.
        sections: Markdown files, relative to the recipe, that the card includes under these titles.
        notes: caveats that the model card repeats.
    """

    name: str
    base: str | None = None
    layers: int | None = Field(None, ge=1)
    vocabulary: int | None = Field(None, ge=300)
    encoder: dict[str, Any] | None = None
    tokenizer: TokenizerSettings | None = None
    pooling: Literal["mean", "mean_max"] = "mean"
    dropout: float = Field(0.1, ge=0, lt=1)
    encoder_dropout: float | None = Field(None, ge=0, lt=1)
    word_dropout: float = Field(0.0, ge=0, lt=1)
    max_length: int = Field(256, ge=8)
    save_dtype: SaveDtype = "float32"
    optimisation: Optimisation = Optimisation()
    distillation: Distillation | None = None
    train: tuple[DataFile, ...]
    dev: tuple[DataFile, ...]
    test: tuple[str, ...] = ()
    baselines: dict[str, tuple[Percent, Percent]] = {}
    sections: dict[str, Path] = {}
    notes: tuple[str, ...] = ()

    def with_seed(self, seed: int) -> Self:
        """The same recipe by another seed."""
        return self.model_copy(update={"optimisation": self.optimisation.model_copy(update={"seed": seed})})


def load_recipe(path: Path, base: str | None = None) -> Recipe:
    """Read and check a recipe. One that `extends` another, beside it, has that one's fields where it says nothing.

    Args:
        base: for a recipe that says neither what it starts from nor what it makes from nothing.

    Raises:
        NotFoundError: no such file.
        UsageError: not YAML, or a field is missing, unknown or out of range; the message names each.
    """
    try:
        recipe = Recipe.model_validate(_fields(path))
    except yaml.YAMLError as error:
        raise UsageError(f"{path} is not YAML: {error}") from error
    except ValidationError as error:
        problems = "\n".join(f"  {'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        raise UsageError(f"the recipe {path} cannot be used:\n{problems}") from error
    if recipe.base is None and recipe.encoder is None:
        recipe = recipe.model_copy(update={"base": base})
    if recipe.base is None and (recipe.encoder is None or recipe.tokenizer is None):
        raise UsageError(
            f"the recipe {path} needs `base`, or `encoder` and `tokenizer`",
            remedy="name a base in the recipe, or for all recipes without one in OPINION_MODELS__BASE",
        )
    if strangers := sorted(set(recipe.baselines) - {Path(name).name for name in recipe.test}):
        raise UsageError(f"the recipe {path} has `baselines` of files that are not in `test`: {', '.join(strangers)}")
    sections = {title: path.parent / file for title, file in recipe.sections.items()}
    if missing := [str(file) for file in sections.values() if not file.is_file()]:
        raise NotFoundError(f"`sections` of the recipe {path} names files that are not there: {', '.join(missing)}")
    return recipe.model_copy(update={"sections": sections})


def _fields(path: Path, extended_by: tuple[Path, ...] = ()) -> Any:
    if not path.is_file():
        raise NotFoundError(f"there is no recipe {path}", remedy="models/recipes/starter.yaml is an example")
    if path in extended_by:
        raise UsageError(f"the recipe {path} extends itself")
    fields = yaml.safe_load(path.read_text(encoding="utf-8"))
    if isinstance(fields, dict) and "extends" in fields:
        other = path.parent / str(fields.pop("extends"))
        return {**_fields(other, (*extended_by, path)), **fields}
    return fields
