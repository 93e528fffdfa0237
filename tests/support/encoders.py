"""Pre-trained encoders of a few thousand weights, as `save_pretrained` writes them: real files, random weights."""

from pathlib import Path
from typing import Final

import torch
from transformers import (
    AutoModel,
    BertConfig,
    BertTokenizer,
    DebertaV2Config,
    DebertaV2Tokenizer,
    DistilBertConfig,
    PreTrainedConfig,
    PreTrainedTokenizerBase,
    XLMRobertaConfig,
    XLMRobertaTokenizer,
)

WORDS: Final = ("very", "good", "bad", "tea", "nice", "coffee", "很好", "很差", "服务", "质量")
LETTERS: Final = "abcdefghijklmnopqrstuvwxyz0123456789很好差服务质量"
SPREAD: Final = 0.3  # of the first weights; with the usual 0.02 so small an encoder learns for minutes
SIZE: Final = {
    "hidden_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "initializer_range": SPREAD,
}
POSITIONS: Final = 64


def bert(folder: Path) -> Path:
    """WordPiece, absolute positions, a pooling layer."""
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, *LETTERS, *(f"##{c}" for c in LETTERS)]
    tokenizer = BertTokenizer(
        {piece: row for row, piece in enumerate(dict.fromkeys(vocabulary))}, model_max_length=100
    )
    config = BertConfig(vocab_size=len(tokenizer), max_position_embeddings=POSITIONS, **SIZE)
    return _saved(folder, config, tokenizer)


def xlm_roberta(folder: Path) -> Path:
    """Unigram pieces, padding in row 1, positions counted from row 2 on, a pooling layer."""
    pieces = [(special, 0.0) for special in ("<s>", "<pad>", "</s>", "<unk>")] + _scored() + [("<mask>", 0.0)]
    tokenizer = XLMRobertaTokenizer(pieces)  # says nothing of its longest input
    config = XLMRobertaConfig(
        vocab_size=len(tokenizer), max_position_embeddings=POSITIONS, pad_token_id=1, type_vocab_size=1, **SIZE
    )
    return _saved(folder, config, tokenizer)


def deberta(folder: Path) -> Path:
    """Unigram pieces, relative positions alone, no token types, more rows than pieces, no pooling layer."""
    pieces = [(special, 0.0) for special in ("[PAD]", "[CLS]", "[SEP]", "[UNK]")] + _scored() + [("[MASK]", 0.0)]
    tokenizer = DebertaV2Tokenizer(pieces, model_max_length=POSITIONS)
    config = DebertaV2Config(
        vocab_size=len(tokenizer) + 9,
        max_position_embeddings=POSITIONS,
        relative_attention=True,
        position_buckets=8,
        position_biased_input=False,
        pos_att_type=["p2c", "c2p"],
        norm_rel_ebd="layer_norm",
        share_att_key=True,
        type_vocab_size=0,
        **SIZE,
    )
    return _saved(folder, config, tokenizer)


def distilbert(folder: Path) -> Path:
    """WordPiece; names its layers and its size otherwise than BERT, and has no token types."""
    bert(folder)
    tokenizer = BertTokenizer.from_pretrained(folder)
    config = DistilBertConfig(
        vocab_size=len(tokenizer),
        max_position_embeddings=POSITIONS,
        dim=16,
        n_layers=3,
        n_heads=2,
        hidden_dim=32,
        initializer_range=SPREAD,
    )
    return _saved(folder, config, tokenizer)


def _saved(folder: Path, config: PreTrainedConfig, tokenizer: PreTrainedTokenizerBase) -> Path:
    torch.manual_seed(0)
    AutoModel.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _scored() -> list[tuple[str, float]]:
    words = [(f"▁{word}", -2.0) for word in WORDS]
    return [*words, *((piece, -6.0) for piece in ("▁", *dict.fromkeys(LETTERS)))]
