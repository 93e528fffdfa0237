"""What a retrain run learns from: the labels as they stand, and which of them are never trained on."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from core.scrubbing import scrub
from core.taxonomy import HEADS
from core.texts import part_of
from models.datasets import LabelledText
from storage.adjudication import AnsweredText

DEV_SHARE: Final = 0.15  # of what is trained on: decides when to stop, and calibrates
FEWEST_TEXTS: Final = 3  # one to learn from, one to stop by, one to judge by
FEWEST_ANSWERS_OF_A_SOURCE: Final = 50  # fewer do not show that a source never says "neutral"


@dataclass(frozen=True)
class TrainingSet:
    """The parts of a run; no text is in two of them.

    Attributes:
        held_out: the answered texts of the gold set, which judge and are never trained on.
        held_out_since: when each of them joined the gold set.
    """

    train: list[LabelledText]
    dev: list[LabelledText]
    held_out: list[LabelledText]
    held_out_since: list[datetime]
    last_label_id: int

    @property
    def texts(self) -> int:
        return len(self.train) + len(self.dev) + len(self.held_out)


def choose_gold(
    texts: Sequence[AnsweredText], gold: Collection[bytes], new: Collection[bytes], *, share: float
) -> list[bytes]:
    """Texts that join the gold set: the newest of the new ones, so many that it has its share of all texts.

    A text that is not new may have been trained on, so it never comes in. Two texts are always left to train and to
    stop by.

    Args:
        gold: what is in the gold set.
        new: texts that no run has seen.
    """
    present = sum(text.key in gold for text in texts)
    free = [text.key for text in texts if text.key not in gold]
    wanted = min(max(1, round(share * len(texts))) - present, len(free) - 2)
    candidates = [key for key in free if key in new]
    return candidates[-wanted:] if wanted > 0 else []


def split(texts: Sequence[AnsweredText], last_label_id: int, *, gold: Mapping[bytes, datetime]) -> TrainingSet:
    """The gold set judges; of the rest a fixed share by hash is for stopping and calibrating.

    Args:
        gold: when each text of the gold set joined it.

    Raises:
        ValueError: no text is in the gold set, or fewer than two are outside.
    """
    held_out = [text for text in texts if text.key in gold]
    others = [text for text in texts if text.key not in gold]
    if not held_out or len(others) < FEWEST_TEXTS - 1:
        raise ValueError(f"{len(others)} texts to learn from and {len(held_out)} to judge by are too few")
    absent = _absent_classes(texts)
    train: list[LabelledText] = []
    dev: list[LabelledText] = []
    for text in others:
        (dev if part_of(text.key) < DEV_SHARE else train).append(_labelled(text, absent))
    if not dev:
        dev.append(train.pop())
    if not train:
        train.append(dev.pop())
    return TrainingSet(
        train,
        dev,
        [_labelled(text, absent) for text in held_out],
        [gold[text.key] for text in held_out],
        last_label_id,
    )


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
