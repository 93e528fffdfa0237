"""The two ways to a new checkpoint: from a recipe, or onwards from a champion with new labels."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from tokenizers import AddedToken
from transformers import (
    CONFIG_MAPPING,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
    set_seed,
)

from core.errors import UsageError
from core.taxonomy import CLASSES
from models.bases import load_base, longest_input
from models.checkpoints import load_checkpoint, save_checkpoint, window_length
from models.classifier import OpinionClassifier, OpinionConfig
from models.datasets import LabelledText, read_labelled
from models.distillation import ask_teachers
from models.encoding import EncodedRows, repeated
from models.machine import Device, is_first_process
from models.recipe import DataFile, Distillation, Optimisation, Recipe
from models.shrinking import keep_layers, set_dropout
from models.targets import TARGET, target_rows
from models.tokenizer import train_tokenizer
from models.training import OnProgress, fit
from models.vocabulary import trim

PAIRS_SEED = 7
WORK_FOLDER = "training"  # beside the finished checkpoint: intermediate ones and the trained tokenizer

REPLAY_SOFT_WEIGHT = 0.5  # of the champion's whole answer, beside its first choice
ONWARDS = Optimisation(
    epochs=3, batch_rows=32, learning_rate=1e-4, weight_decay=0.01, warmup_share=0.1, label_smoothing=0.05
)
"""A few passes at a small rate: the champion knows most of it already."""


@dataclass(frozen=True)
class Trained:
    """A finished training.

    Attributes:
        folder: the checkpoint.
        dev, epochs: see `training.Fitted`.
        rows: training rows by source file or kind.
    """

    folder: Path
    dev: dict[str, float]
    epochs: float
    rows: dict[str, int]


def train_recipe(
    recipe: Recipe, data: Path, out: Path, *, resume: bool = False, on_progress: OnProgress | None = None
) -> Trained:
    """Train what the recipe says and write the checkpoint to `out`. Blocks for minutes to hours.

    A tokenizer that an earlier run left under `out` is used again, since training one takes minutes.

    Args:
        resume: go on where an earlier run into `out` was stopped, at its last whole epoch.

    Raises:
        NotFoundError: a data file is missing under `data`.
        CheckpointError: the recipe's `base` cannot be loaded.
    """
    optimisation = recipe.optimisation
    set_seed(optimisation.seed)
    train = [(part, read_part(data, part)) for part in recipe.train]
    rows = [row for _, part in train for row in part]
    repeats = [
        count for part, part_rows in train for count in repeated(len(part_rows), part.repeat, optimisation.seed)
    ]
    dev = [row for part in recipe.dev for row in read_part(data, part)]
    if recipe.distillation is not None:
        unlabelled = [
            r for file in recipe.distillation.unlabelled for r in read_labelled(data / file, unlabelled=True)
        ]
        rows += unlabelled
        repeats += [1] * len(unlabelled)
    texts = [row.text for row in rows]
    model, tokenizer = build(recipe, texts, out / WORK_FOLDER)
    heads, max_length = model.config.heads, window_length(tokenizer)
    soft_scores = None
    if recipe.distillation is not None:
        soft_scores = ask_teachers(recipe.distillation, texts, heads)
        model.config.soft_weight = recipe.distillation.weight
        model.config.soft_temperature = recipe.distillation.temperature
    fitted = fit(
        model,
        tokenizer,
        EncodedRows(rows, tokenizer, heads, max_length, repeats, soft_scores),
        EncodedRows(dev, tokenizer, heads, max_length),
        optimisation,
        out / WORK_FOLDER,
        resume=resume,
        on_progress=on_progress,
    )
    save_checkpoint(model, tokenizer, out, recipe.save_dtype)
    return Trained(out, fitted.dev, fitted.epochs, row_counts(train))


def finetune(
    champion: Path,
    train_rows: Sequence[LabelledText],
    dev_rows: Sequence[LabelledText],
    out: Path,
    *,
    replay_rows: Sequence[LabelledText] = (),
    optimisation: Optimisation | None = None,
    resume: bool = False,
    device: Device = "auto",
    on_progress: OnProgress | None = None,
) -> Trained:
    """Train the champion on new labels, mixed with older rows against forgetting; writes a candidate to `out`.

    On the older rows the candidate is held to the champion's scores of all classes and not only to the likeliest
    (Li & Hoiem 2016, "Learning without Forgetting"): which classes lie close to each other is first forgotten.

    Of several processes that `torchrun` has started, the first writes it.

    Args:
        dev_rows: decide when to stop and how confident to be; must not occur in the other two.
        optimisation: `ONWARDS` if absent.
        resume: go on where an earlier training into `out` was broken off, at its last whole epoch.

    Raises:
        UsageError: no rows to learn from, or none to stop by.
        CheckpointError: the champion cannot be loaded.
    """
    if not train_rows or not dev_rows:
        raise UsageError("fine-tuning needs labelled rows for training and for dev")
    settings = optimisation or ONWARDS
    set_seed(settings.seed)
    model, tokenizer = load_checkpoint(champion)
    heads, max_length = model.config.heads, window_length(tokenizer)
    soft_scores = None
    if replay_rows:
        model.config.soft_weight, model.config.soft_temperature = REPLAY_SOFT_WEIGHT, 1.0
        remembered = ask_teachers(
            Distillation(teachers=(str(champion),), weight=REPLAY_SOFT_WEIGHT, temperature=1.0),
            [row.text for row in replay_rows],
            heads,
        )
        # Rows that people answered get no soft scores: they are there to change the champion's mind.
        soft_scores = torch.cat([remembered.new_zeros(len(train_rows), remembered.shape[1]), remembered])
    fitted = fit(
        model,
        tokenizer,
        EncodedRows([*train_rows, *replay_rows], tokenizer, heads, max_length, soft_scores=soft_scores),
        EncodedRows(dev_rows, tokenizer, heads, max_length),
        settings,
        out / WORK_FOLDER,
        resume=resume,
        device=device,
        on_progress=on_progress,
    )
    if is_first_process():
        save_checkpoint(model, tokenizer, out, "float16")
    return Trained(out, fitted.dev, fitted.epochs, {"new labels": len(train_rows), "replay": len(replay_rows)})


def build(recipe: Recipe, texts: Sequence[str], work_dir: Path) -> tuple[OpinionClassifier, PreTrainedTokenizerBase]:
    """An untrained classifier and its tokenizer."""
    encoder = None
    if recipe.base is not None:
        encoder, tokenizer = start_from(recipe, texts)
        encoder_config = encoder.config
    else:
        tokenizer = _own_tokenizer(recipe, texts, work_dir / "tokenizer")
        fields = dict(recipe.encoder or {})
        encoder_config = CONFIG_MAPPING[fields.pop("model_type")](
            **fields, vocab_size=len(tokenizer), pad_token_id=tokenizer.pad_token_id
        )
    config = OpinionConfig(
        encoder=encoder_config,
        heads={head: list(classes) for head, classes in CLASSES.items()},
        pooling=recipe.pooling,
        dropout=recipe.dropout,
        word_dropout=recipe.word_dropout,
        mask_token_id=tokenizer.unk_token_id if tokenizer.mask_token_id is None else tokenizer.mask_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model = OpinionClassifier(config, encoder)
    room = longest_input(model.encoder)
    lengths = [recipe.max_length, int(tokenizer.model_max_length), *([] if room is None else [room])]
    tokenizer.model_max_length = min(lengths)  # inference reads it back
    return model, tokenizer


def start_from(recipe: Recipe, texts: Sequence[str]) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """The recipe's base, as small as the recipe wants it, with a token of its own for a marked target."""
    encoder, tokenizer = load_base(str(recipe.base))
    if recipe.layers is not None:
        keep_layers(encoder, recipe.layers)
    if recipe.vocabulary is not None:
        tokenizer = trim(encoder, tokenizer, texts, recipe.vocabulary)
    if tokenizer.add_tokens([AddedToken(TARGET, normalized=False)]):
        row = tokenizer.convert_tokens_to_ids(TARGET)
        if row >= encoder.get_input_embeddings().num_embeddings:  # some encoders have rows to spare
            encoder.resize_token_embeddings(row + 1, mean_resizing=False)
        embeddings = encoder.get_input_embeddings().weight
        with torch.no_grad():
            embeddings[row] = embeddings[:row].mean(dim=0)
    if recipe.encoder_dropout is not None:
        set_dropout(encoder, recipe.encoder_dropout)
    return encoder, tokenizer


def read_part(data: Path, part: DataFile) -> list[LabelledText]:
    """The rows of one file of a recipe; with `most_rows`, evenly spread over the file."""
    if part.targets is not None:
        rows = target_rows(data / part.file, part.targets, pairs=part.pairs, absent=part.absent, seed=PAIRS_SEED)
    else:
        rows = read_labelled(data / part.file, absent=part.absent)
    if part.most_rows is None or len(rows) <= part.most_rows:
        return rows
    return [rows[index * len(rows) // part.most_rows] for index in range(part.most_rows)]


def row_counts(train: Sequence[tuple[DataFile, list[LabelledText]]]) -> dict[str, int]:
    """How many rows each part of a recipe gave, as `Trained.rows`."""
    return {f"{part.file} (targets)" if part.targets else part.file: len(rows) for part, rows in train}


def _own_tokenizer(recipe: Recipe, texts: Sequence[str], folder: Path) -> PreTrainedTokenizerBase:
    if (folder / "tokenizer.json").is_file():
        return PreTrainedTokenizerFast.from_pretrained(folder)
    if recipe.tokenizer is None:
        raise UsageError(f"the recipe {recipe.name} has neither `base` nor `tokenizer`")
    tokenizer = train_tokenizer(texts, recipe.tokenizer, recipe.max_length)
    tokenizer.save_pretrained(folder)
    return tokenizer
