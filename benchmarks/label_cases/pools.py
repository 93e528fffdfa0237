"""Pools of texts whose answers are hidden until somebody "labels" them, and tests that are never chosen from.

No model that is used here was trained on any of these texts: the starter has not seen the three streams, and the bare
encoder that reads the comments has seen no labels at all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import torch

from core.taxonomy import Head
from core.texts import part_of, text_hash
from models.bases import load_base
from models.checkpoints import load_checkpoint, resolve
from models.datasets import read_labelled
from models.encoder_vectors import pooled_states

BASE: Final = "e5-small"
TEST_SHARE: Final = 0.3

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class PoolSource:
    """Where a pool comes from.

    Attributes:
        test: None cuts `TEST_SHARE` of the file off, by the hash of the text.
        model: `starter`, whose answers are where learning begins, or `BASE`, which has none.
        most_pool, most_test: texts taken at most.
    """

    head: Head
    train: str
    test: str | None
    model: str
    most_pool: int = 5000
    most_test: int = 2000


SOURCES: Final = {
    "gop_debate": PoolSource("sentiment", "stream/gop_debate_2015.jsonl.gz", None, "starter"),
    "corona_tweets": PoolSource("sentiment", "stream/corona_tweets_2020.jsonl.gz", None, "starter"),
    "news_headlines": PoolSource("topic", "stream/news_headlines_fwd.jsonl.gz", None, "starter"),
    "bank_comments": PoolSource(
        "sentiment",
        "sentiment/bank_comments.train.jsonl.gz",
        "sentiment/bank_comments.test.jsonl.gz",
        BASE,
        3000,
        1500,
    ),
}


@dataclass(frozen=True)
class Pool:
    """One pool with its test.

    Attributes:
        texts: of the pool.
        features, test_features: (texts, width), what the encoder makes of them.
        logits, test_logits: (texts, classes), what the model answers before anything is learned; zeros for a bare
            encoder.
        answers, test_answers: (texts,), indices into `classes`.
    """

    texts: list[str]
    classes: list[str]
    features: Floats
    logits: Floats
    answers: Ints
    test_features: Floats
    test_logits: Floats
    test_answers: Ints


def load(name: str, data: Path, cache: Path) -> Pool:
    """The pool; reading the texts takes minutes the first time and is kept in `cache`."""
    source = SOURCES[name]
    rows = _distinct([(row.text, row.label(source.head)) for row in read_labelled(data / source.train)])
    if source.test is None:
        test = [row for row in rows if part_of(text_hash(row[0])) < TEST_SHARE]
        rows = [row for row in rows if part_of(text_hash(row[0])) >= TEST_SHARE]
    else:
        test = _distinct([(row.text, row.label(source.head)) for row in read_labelled(data / source.test)])
    rows, test = rows[: source.most_pool], test[: source.most_test]
    file = cache / f"{name}.npz"
    if not file.is_file():
        cache.mkdir(parents=True, exist_ok=True)
        features, logits, classes = encode(source, [text for text, _ in [*rows, *test]])
        np.savez_compressed(file, features=features, logits=logits, classes=np.array(classes))
    kept = np.load(file)
    classes = [str(name) for name in kept["classes"]]
    if source.model == BASE:
        classes = sorted({answer for _, answer in rows})
        logits = np.zeros((len(kept["features"]), len(classes)), np.float32)
    else:
        logits = kept["logits"]
    cut = len(rows)
    index = {name: place for place, name in enumerate(classes)}
    return Pool(
        texts=[text for text, _ in rows],
        classes=classes,
        features=kept["features"][:cut],
        logits=logits[:cut],
        answers=np.array([index[answer] for _, answer in rows]),
        test_features=kept["features"][cut:],
        test_logits=logits[cut:],
        test_answers=np.array([index[answer] for _, answer in test]),
    )


def encode(source: PoolSource, texts: Sequence[str]) -> tuple[Floats, Floats, list[str]]:
    """Pooled states, calibrated logits of the head (none for a bare encoder) and the head's classes."""
    if source.model == BASE:
        encoder, tokenizer = load_base(BASE)
        return pooled_states(encoder.eval(), tokenizer, texts), np.zeros((len(texts), 0), np.float32), []
    model, tokenizer = load_checkpoint(resolve(source.model))
    features = pooled_states(model.encoder, tokenizer, texts)
    head = model.heads[source.head]
    temperature = model.config.temperatures[source.head]
    with torch.inference_mode():
        logits = head(torch.from_numpy(features))
    scale = temperature["other"] if isinstance(temperature, dict) else temperature  # the streams are English
    return features, (logits / scale).numpy(), list(model.config.heads[source.head])


def _distinct(rows: Sequence[tuple[str, str | None]]) -> list[tuple[str, str]]:
    """Each text once, as a queue asks about copies once; in the order of their hashes, which is as good as chance."""
    by_hash = {text_hash(text): (text, answer) for text, answer in rows if answer is not None}
    return [by_hash[key] for key in sorted(by_hash)]
