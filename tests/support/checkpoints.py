"""A classifier of a few thousand weights, made in a second: real loading code, random opinions."""

from pathlib import Path

import torch
from transformers import BertConfig

from models.checkpoints import save_checkpoint
from models.classifier import OpinionClassifier, OpinionConfig
from models.recipe import TokenizerSettings
from models.tokenizer import train_tokenizer

WORDS = ["text number good bad nice tea coffee bank phone car", "很好 很差 银行 手机 汽车 奶茶 价格 服务 质量"]


def tiny_checkpoint(folder: Path, seed: int = 0) -> Path:
    """Write a checkpoint into `folder` and return it; another seed gives other weights."""
    torch.manual_seed(seed)
    tokenizer = train_tokenizer(WORDS, TokenizerSettings(pieces=300, max_piece_chars=4), max_length=64)
    encoder = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=66,
    )
    model = OpinionClassifier(OpinionConfig(encoder=encoder))
    save_checkpoint(model, tokenizer, folder)
    return folder
