"""Checkpoint folders: safetensors weights, config, tokenizer, `version.json`, card. Nothing else is ever loaded."""

from pathlib import Path

import torch
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
from safetensors import SafetensorError
from transformers import AutoModel, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase, PreTrainedTokenizerFast
from transformers.utils import logging as transformers_logging

from core.errors import CheckpointError, LabelSetError
from core.taxonomy import CLASSES
from models.classifier import OpinionClassifier, OpinionConfig

STARTER = "starter"
STARTER_FOLDER = Path(__file__).parent / "starter"
WEIGHTS_FILE = "model.safetensors"
CARD_FILE = "README.md"  # where people and model hubs look for it
SAFE_FILES = ("*.json", "*.safetensors", "*.txt", "*.model", "README.md")
LONGEST_WINDOW = 512  # where a tokenizer does not say what its encoder can read
PICKLED = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl", "*.pickle")


def resolve(checkpoint: str | Path) -> Path:
    """The folder of a checkpoint.

    Args:
        checkpoint: `starter`, a folder, or a hub id (`owner/name`), which is fetched when it is not cached.

    Raises:
        CheckpointError: no such folder, weights that are not safetensors, or a hub that does not answer.
    """
    folder = STARTER_FOLDER if str(checkpoint) == STARTER else Path(checkpoint).expanduser()
    if not folder.is_dir():
        if not _may_be_hub_id(str(checkpoint)):
            raise CheckpointError(
                f"there is no checkpoint folder {folder}",
                remedy="`starter` is the one that comes with the package; `opinion models train` makes others",
            )
        folder = _download(str(checkpoint))
    if not list(folder.glob("*.safetensors")):
        pickled = sorted(path.name for pattern in PICKLED for path in folder.glob(pattern))
        raise CheckpointError(
            f"{folder} holds pickled weights ({', '.join(pickled)}), which could run code when they are loaded"
            if pickled
            else f"{folder} holds no safetensors weights",
            remedy="save the model with `save_pretrained`, which writes model.safetensors",
        )
    return folder


def load_checkpoint(folder: Path) -> tuple[OpinionClassifier, PreTrainedTokenizerBase]:
    """Model (float32, eval mode, on the CPU) and tokenizer of a classifier's folder.

    Raises:
        CheckpointError: the folder cannot be read, or holds another kind of model.
        LabelSetError: its heads or classes are not those of `core.taxonomy`.
    """
    folder = resolve(folder)
    transformers_logging.disable_progress_bar()  # a bar over a second of reading is noise in every command
    try:
        fields, _ = OpinionConfig.get_config_dict(folder)
        if fields.get("model_type") != OpinionConfig.model_type:
            raise CheckpointError(
                f"{folder} is a {fields.get('model_type', 'nameless')} model and not a classifier of ours",
                remedy="train one from it: `opinion models train` with this folder as `base` of the recipe",
            )
        config = OpinionConfig.from_dict(fields)
    except (OSError, ValueError, KeyError) as error:
        raise CheckpointError(f"{folder}: the config cannot be read: {error}") from error
    check_heads(folder, config.heads)
    try:
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
        raise LabelSetError(f"{folder} has the heads {sorted(heads)}, this project needs {sorted(CLASSES)}")
    for head, classes in CLASSES.items():
        if unknown := sorted(set(heads[head]) - set(classes)):
            raise LabelSetError(f"{folder}: the {head} head knows {', '.join(unknown)}, this project does not")
    if missing := sorted(set(CLASSES["sentiment"]) - set(heads["sentiment"])):
        raise LabelSetError(f"{folder}: the sentiment head lacks {', '.join(missing)}")


def load_encoder(base: str | Path) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """A pre-trained encoder and its tokenizer, to start a classifier from.

    Raises:
        CheckpointError: it is not there, not safetensors, or needs code of its own.
    """
    folder = resolve(base)
    try:
        encoder = AutoModel.from_pretrained(
            folder, trust_remote_code=False, use_safetensors=True, local_files_only=True, dtype=torch.float32
        )
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise CheckpointError(f"the encoder {base} cannot be loaded: {error}") from error
    return encoder, tokenizer


def save_checkpoint(
    model: OpinionClassifier, tokenizer: PreTrainedTokenizerBase, folder: Path, dtype: str = "float32"
) -> None:
    """Write weights, config and tokenizer; `float16` halves the folder and is read back as float32."""
    transformers_logging.disable_progress_bar()
    folder.mkdir(parents=True, exist_ok=True)
    model.to(getattr(torch, dtype)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def window_length(tokenizer: PreTrainedTokenizerBase) -> int:
    """Tokens, special ones included, that the model was trained to read at once."""
    return min(int(tokenizer.model_max_length), LONGEST_WINDOW)


def _may_be_hub_id(name: str) -> bool:
    return name.count("/") <= 1 and not name.startswith((".", "/", "~")) and not Path(name).suffix


def _download(hub_id: str) -> Path:
    try:
        return Path(snapshot_download(hub_id, allow_patterns=list(SAFE_FILES)))
    except (HfHubHTTPError, LocalEntryNotFoundError, HFValidationError, OSError) as error:
        raise CheckpointError(
            f"{hub_id} is no folder here, and the model hub does not give it: {type(error).__name__}",
            remedy="check the name and the network, or name a folder; with HF_HUB_OFFLINE=1 only cached ones work",
        ) from error
