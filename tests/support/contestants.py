"""Champion and candidate without a model: opinions that are right or wrong as wanted, and figures of them."""

from collections.abc import Sequence

import numpy as np

from core.records import Opinion
from core.taxonomy import SENTIMENTS, TOPICS
from models.datasets import LabelledText
from models.gate_gain import Gain
from models.paired import Difference

BETTER = Gain(
    200,
    {"topic": 0.5},
    {"topic": 0.6},
    {"topic": Difference(0.1, 0.04, 0.16)},
    Difference(0.1, 0.04, 0.16),
    gained=30,
    lost=10,
    chance=0.002,
)


def says(sentiment: str, confidence: float = 0.9, topic: str = "sports") -> Opinion:
    """Sure of this sentiment by so much; the rest is split between the other two."""
    rest = (1 - confidence) / 2
    return Opinion(
        topic_label=topic,
        topic_scores={**dict.fromkeys(TOPICS, 0.0), topic: 1.0},
        sentiment=sentiment,  # type: ignore[arg-type]
        sentiment_scores={**dict.fromkeys(SENTIMENTS, rest), sentiment: confidence},
        model_version="m",
    )


def texts(count: int, **fields: str) -> list[LabelledText]:
    """Texts whose sentiments take turns."""
    return [LabelledText(f"text {nth}", sentiment=SENTIMENTS[nth % 3], **fields) for nth in range(count)]  # type: ignore[arg-type]


def answers(rows: Sequence[LabelledText], is_right: Sequence[bool], confidence: float = 0.9) -> list[Opinion]:
    """Right or wrong sentiments; the wrong one is the next class."""
    return [
        says(SENTIMENTS[(SENTIMENTS.index(row.sentiment) + (not right)) % 3], confidence)  # type: ignore[arg-type]
        for row, right in zip(rows, is_right, strict=True)
    ]


def rights(count: int, share: float, seed: int) -> list[bool]:
    """So large a share of them right, spread by chance."""
    drawn = np.arange(count) < round(share * count)
    np.random.default_rng(seed).shuffle(drawn)
    return [bool(one) for one in drawn]
