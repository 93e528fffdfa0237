"""What a retrain run learns from: the labels as they stand, and which of them are never trained on."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from core.scrubbing import scrub
from core.taxonomy import HEADS
from core.texts import part_of
from models.datasets import LabelledText
from opinion.adjudication import AnsweredText

DEV_SHARE: Final = 0.15  # of what is trained on: decides when to stop, and calibrates
FEWEST_TEXTS: Final = 3  # one to learn from, one to stop by, one to judge by
FEWEST_ANSWERS_OF_A_SOURCE: Final = 50  # fewer do not show that a source never says "neutral"


@dataclass(frozen=True)
class TrainingSet:
    """The snapshot of a run; no text is in two parts."""

    train: list[LabelledText]
    dev: list[LabelledText]
    held_out: list[LabelledText]
    last_label_id: int

    @property
    def texts(self) -> int:
        return len(self.train) + len(self.dev) + len(self.held_out)


def split(texts: Sequence[AnsweredText], last_label_id: int, *, held_out_share: float) -> TrainingSet:
    """The newest share is held out; of the rest a fixed share by hash is for stopping and calibrating.

    Raises:
        ValueError: fewer than `FEWEST_TEXTS` texts.
    """
    if len(texts) < FEWEST_TEXTS:
        raise ValueError(f"{len(texts)} texts cannot be split")
    held_out_count = min(max(1, round(held_out_share * len(texts))), len(texts) - 2)
    boundary = len(texts) - held_out_count
    absent = _absent_classes(texts)
    train: list[LabelledText] = []
    dev: list[LabelledText] = []
    for text in texts[:boundary]:
        (dev if part_of(text.key) < DEV_SHARE else train).append(_labelled(text, absent))
    if not dev:
        dev.append(train.pop())
    if not train:
        train.append(dev.pop())
    return TrainingSet(train, dev, [_labelled(text, absent) for text in texts[boundary:]], last_label_id)


def _labelled(text: AnsweredText, absent: dict[str, tuple[str, ...]]) -> LabelledText:
    topic, sentiment = (text.answers.get(head) for head in HEADS)
    return LabelledText(scrub(text.text), topic, sentiment, text.lang, text.source, absent.get(text.source, ()))


def _absent_classes(texts: Iterable[AnsweredText]) -> dict[str, tuple[str, ...]]:
    """Sources that answer negative and positive often but never neutral, as sets of reviews do.

    Learned as they are, they would teach that nothing is neutral; see `LabelledText.absent`.
    """
    answers: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for text in texts:
        if "sentiment" in text.answers:
            answers[text.source][text.answers["sentiment"]] += 1
    return {
        source: ("neutral",)
        for source, counts in answers.items()
        if set(counts) == {"negative", "positive"} and counts.total() >= FEWEST_ANSWERS_OF_A_SOURCE
    }
