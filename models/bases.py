"""Pre-trained encoders that a classifier can start from, and what must be true of them."""

from pathlib import Path
from typing import Final

import torch
from safetensors import SafetensorError
from torch import nn
from transformers import AutoModel, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging as transformers_logging

from core.errors import CheckpointError
from models import e5_small
from models.checkpoints import is_classifier, load_checkpoint, resolve

UNUSED: Final = "pooler."  # its weights may be missing: the heads read token states
ENCODERS: Final = "bert, xlm-roberta, electra or deberta-v2"
SHOWN_WEIGHTS: Final = 3


def load_base(base: str | Path) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """A pre-trained encoder (float32, on the CPU) and its tokenizer. May take minutes, if a hub is asked.

    Args:
        base: `e5-small` (see `models.e5_small`), a folder, a hub id, or `package:NAME/FOLDER`; also a classifier of
            ours, whose encoder it is then.

    Raises:
        CheckpointError: it is not there, not safetensors, needs code of its own, or is no encoder with a fast
            tokenizer that fits it.
    """
    if str(base) == e5_small.NAME:
        return e5_small.load_e5_small()
    folder = resolve(base)
    if is_classifier(folder):
        classifier, tokenizer = load_checkpoint(folder)
        return classifier.encoder, tokenizer
    transformers_logging.disable_progress_bar()
    try:
        encoder, report = AutoModel.from_pretrained(
            folder,
            trust_remote_code=False,
            use_safetensors=True,
            local_files_only=True,
            dtype=torch.float32,
            output_loading_info=True,
        )
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise CheckpointError(f"the encoder {base} cannot be loaded: {error}") from error
    _check_encoder(base, encoder, sorted(report["missing_keys"]))
    _check_tokenizer(base, encoder, tokenizer)
    return encoder, tokenizer


def longest_input(encoder: PreTrainedModel) -> int | None:
    """Tokens that an encoder has positions for; None where it can read any number.

    RoBERTa and its kin count positions from the one after the padding token's id: 514 positions are 512 tokens.
    """
    table = getattr(getattr(encoder, "embeddings", None), "position_embeddings", None)
    if isinstance(table, nn.Embedding):
        return table.num_embeddings - _position_offset(table)
    return getattr(encoder.config, "max_position_embeddings", None)


def _position_offset(table: nn.Embedding) -> int:
    return 0 if table.padding_idx is None else table.padding_idx + 1


def _check_encoder(base: str | Path, encoder: PreTrainedModel, missing: list[str]) -> None:
    kind = encoder.config.model_type
    if getattr(encoder.config, "is_encoder_decoder", False):
        raise CheckpointError(f"{base} is an encoder-decoder ({kind})", remedy=f"take an encoder, such as {ENCODERS}")
    if lost := [name for name in missing if not name.startswith(UNUSED)]:
        more = f" and {len(lost) - SHOWN_WEIGHTS} more" if len(lost) > SHOWN_WEIGHTS else ""
        raise CheckpointError(
            f"{base} lacks weights of a {kind} encoder: {', '.join(lost[:SHOWN_WEIGHTS])}{more}",
            remedy="its config.json and its weights must belong to the same model",
        )


def _check_tokenizer(base: str | Path, encoder: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
    if not tokenizer.is_fast:
        raise CheckpointError(
            f"{base} has a slow tokenizer ({type(tokenizer).__name__})",
            remedy="a tokenizer.json is needed; `AutoTokenizer.from_pretrained(…).save_pretrained(…)` may write one",
        )
    if tokenizer.pad_token_id is None:
        raise CheckpointError(
            f"the tokenizer of {base} has no padding token", remedy=f"take an encoder, such as {ENCODERS}"
        )
    rows = encoder.get_input_embeddings().num_embeddings
    if (highest := max(tokenizer.get_vocab().values())) >= rows:
        raise CheckpointError(
            f"the tokenizer of {base} gives ids up to {highest}, and its encoder has embeddings for {rows}",
            remedy="config.json, weights and tokenizer.json must belong to the same model",
        )
    table = getattr(getattr(encoder, "embeddings", None), "position_embeddings", None)
    offset = _position_offset(table) if isinstance(table, nn.Embedding) else 0
    if offset and offset != tokenizer.pad_token_id + 1:
        raise CheckpointError(
            f"{base} counts positions from padding token {offset - 1}, and its tokenizer pads with "
            f"{tokenizer.pad_token_id}",
            remedy="`pad_token_id` in config.json must be that of the tokenizer",
        )
