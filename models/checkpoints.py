"""Checkpoint folders: safetensors weights, config, tokenizer, `version.json`, card. Nothing else is ever loaded."""

from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast
from transformers.utils import logging as transformers_logging

from core.errors import CheckpointError, LabelSetError
from core.taxonomy import CLASSES
from models.classifier import OpinionClassifier, OpinionConfig
from models.hub import PACKAGE_PREFIX, download, may_be_hub_id, package_folder
from models.manifest import MANIFEST_FILE, VERSION_FILE, refuse_damaged
from models.quantised import is_int8, load_int8, save_int8
from models.recipe import SaveDtype
from models.registry import STARTER, STARTER_FOLDER
from models.safety import WEIGHTS_FILE, refuse_unsafe

CARD_FILE = "README.md"  # where people and model hubs look for it
TRAIN_AGAIN = "train it again from its encoder, with this project's labels: `opinion models train`"
LONGEST_WINDOW = 512  # where a tokenizer does not say what its encoder can read


def resolve(checkpoint: str | Path) -> Path:
    """The folder of a checkpoint.

    Args:
        checkpoint: `starter`, a folder, a hub id (`owner/name`), which is fetched when it is not cached, or
            `package:NAME/FOLDER` inside an installed Python package.

    Raises:
        CheckpointError: there is none, a hub does not give it, or it is refused (see `models.safety`).
    """
    name = str(checkpoint)
    if name.startswith(PACKAGE_PREFIX):
        folder = package_folder(name)
    else:
        folder = STARTER_FOLDER if name == STARTER else Path(checkpoint).expanduser()
    if folder.is_file():
        raise CheckpointError(f"{folder} is a file", remedy="name the folder that it is in")
    if not folder.is_dir():
        if not may_be_hub_id(name):
            raise CheckpointError(
                f"there is no checkpoint folder {folder}",
                remedy="`starter` is the one that comes with the package; `opinion models train` makes others",
            )
        folder = download(name)
    refuse_unsafe(folder)
    return folder


def is_classifier(folder: Path) -> bool:
    """Whether a folder that `resolve` gave holds a classifier of ours, and not another kind of model."""
    return _config_fields(folder).get("model_type") == OpinionConfig.model_type


def load_checkpoint(folder: Path) -> tuple[OpinionClassifier, PreTrainedTokenizerBase]:
    """Model (float32, eval mode, on the CPU) and tokenizer of a classifier's folder.

    Raises:
        CheckpointError: the folder cannot be read, is not what was added (see `models.manifest`), or holds another
            kind of model.
        LabelSetError: its heads or classes are not those of `core.taxonomy`.
    """
    folder = resolve(folder)
    refuse_damaged(folder)
    transformers_logging.disable_progress_bar()  # a bar over a second of reading is noise in every command
    if not is_classifier(folder):
        kind = _config_fields(folder).get("model_type", "nameless")
        raise CheckpointError(
            f"{folder} is a {kind} model and not a classifier of ours",
            remedy="train one from it: `opinion models train` with this folder as `base` of the recipe",
        )
    try:
        config = OpinionConfig.from_dict(_config_fields(folder))
    except (ValueError, KeyError) as error:
        raise CheckpointError(f"{folder}: the config cannot be read: {error}") from error
    check_heads(folder, config.heads)
    try:
        if is_int8(folder / WEIGHTS_FILE):
            model = OpinionClassifier(config)
            model.load_state_dict(load_int8(folder / WEIGHTS_FILE))
        else:
            model = OpinionClassifier.from_pretrained(
                folder, config=config, dtype=torch.float32, use_safetensors=True, local_files_only=True
            )
        tokenizer = PreTrainedTokenizerFast.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise CheckpointError(f"{folder} cannot be loaded: {error}") from error
    return model.eval(), tokenizer


def check_heads(folder: Path, heads: dict[str, list[str]]) -> None:
    """Raises:
    LabelSetError: a head is missing or unknown, or answers with classes that `core.taxonomy` does not know.
    """
    if set(heads) != set(CLASSES):
        raise LabelSetError(
            f"{folder} has the heads {sorted(heads)}, this project needs {sorted(CLASSES)}", remedy=TRAIN_AGAIN
        )
    for head, classes in CLASSES.items():
        if unknown := sorted(set(heads[head]) - set(classes)):
            raise LabelSetError(
                f"{folder}: the {head} head knows {', '.join(unknown)}, this project does not", remedy=TRAIN_AGAIN
            )
    if missing := sorted(set(CLASSES["sentiment"]) - set(heads["sentiment"])):
        raise LabelSetError(f"{folder}: the sentiment head lacks {', '.join(missing)}", remedy=TRAIN_AGAIN)


def save_checkpoint(
    model: OpinionClassifier, tokenizer: PreTrainedTokenizerBase, folder: Path, dtype: SaveDtype = "float32"
) -> None:
    """Write weights, config and tokenizer; `float16` halves the folder, `int8` quarters it (see `models.quantised`),
    and both are read back as float32."""
    transformers_logging.disable_progress_bar()
    folder.mkdir(parents=True, exist_ok=True)
    for name in (VERSION_FILE, MANIFEST_FILE):  # of other weights, which may have lain there
        (folder / name).unlink(missing_ok=True)
    if dtype == "int8":
        model.config.architectures = [type(model).__name__]
        model.config.save_pretrained(folder)
        save_int8(model.state_dict(), folder / WEIGHTS_FILE)
    else:
        model.to(getattr(torch, dtype)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def window_length(tokenizer: PreTrainedTokenizerBase) -> int:
    """Tokens, special ones included, that the model was trained to read at once."""
    return min(int(tokenizer.model_max_length), LONGEST_WINDOW)


def _config_fields(folder: Path) -> dict[str, Any]:
    fields, _ = OpinionConfig.get_config_dict(folder)
    return dict(fields)
