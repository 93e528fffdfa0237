"""Rows of ../shared/data with the frozen vectors of e5-small, which has seen none of their labels.

The vectors are kept in var/bench, because a CPU takes a quarter of an hour to compute them.
"""

import gzip
import hashlib
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

CLASSES: Final = ("negative", "neutral", "positive")
POOLS: Final = {
    "weibo": (("weibo_emotion.train", 12_000),),
    "stocks": (("finfe.train", 2_600), ("stock_comments.train", 1_400)),
    "virus": (("smp2020_virus.train", 4_000),),
}
BATCH_ROWS: Final = 64
MAX_LENGTH: Final = 96  # tokens; nine texts in ten of these are shorter than 60
SAMPLE_SEED: Final = 8


@dataclass(frozen=True)
class Rows:
    """Labelled texts of one domain.

    Attributes:
        texts: as crawled.
        labels: (rows,) places in `CLASSES`.
        vectors: (rows, 384) float32, mean over the tokens.
    """

    texts: list[str]
    labels: npt.NDArray[np.int64]
    vectors: npt.NDArray[np.float32]

    def take(self, places: npt.NDArray[np.int64]) -> "Rows":
        return Rows([self.texts[place] for place in places], self.labels[places], self.vectors[places])

    def __len__(self) -> int:
        return len(self.texts)


def joined(parts: Sequence[Rows]) -> Rows:
    """One after the other."""
    return Rows(
        [text for part in parts for text in part.texts],
        np.concatenate([part.labels for part in parts]),
        np.concatenate([part.vectors for part in parts]),
    )


def load(shared: Path, cache: Path) -> dict[str, Rows]:
    """The pools, each in an order drawn once; computes the vectors that the cache lacks."""
    return {name: _pool(shared, cache, name) for name in POOLS}


def _pool(shared: Path, cache: Path, name: str) -> Rows:
    rows = []
    for file, most in POOLS[name]:
        with gzip.open(shared / "sentiment" / f"{file}.jsonl.gz", "rt", encoding="utf-8") as lines:
            read = [row for line in lines if (row := json.loads(line))["sentiment"]]
        random.Random(SAMPLE_SEED).shuffle(read)
        rows += read[:most]
    random.Random(SAMPLE_SEED).shuffle(rows)
    texts = [row["text"] for row in rows]
    labels = np.array([CLASSES.index(row["sentiment"]) for row in rows], dtype=np.int64)
    key = hashlib.sha256("\0".join(texts).encode()).hexdigest()[:12]
    path = cache / f"e5-{name}-{key}.npy"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, _encoded(texts, name).astype(np.float16))
    return Rows(texts, labels, np.load(path).astype(np.float32))


def _encoded(texts: Sequence[str], name: str) -> npt.NDArray[np.float32]:
    import torch

    from models.bases import load_base

    encoder, tokenizer = load_base("e5-small")
    encoder.eval()
    order = sorted(range(len(texts)), key=lambda place: len(texts[place]))
    vectors = np.empty((len(texts), encoder.config.hidden_size), dtype=np.float32)
    for start in range(0, len(order), BATCH_ROWS):
        places = order[start : start + BATCH_ROWS]
        batch = tokenizer(
            ["query: " + texts[place] for place in places],  # as e5 was trained to read
            truncation=True,
            max_length=MAX_LENGTH,
            padding=True,
            return_tensors="pt",
        )
        with torch.inference_mode():
            states = encoder(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).last_hidden_state
        mask = batch["attention_mask"][..., None].float()
        vectors[places] = ((states * mask).sum(1) / mask.sum(1)).numpy()
        if start // BATCH_ROWS % 20 == 0:
            print(f"{name}: {start + len(places)} of {len(texts)} texts read", flush=True)
    return vectors
