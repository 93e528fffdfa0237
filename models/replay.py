"""Rows against forgetting: what the champion already knows, mixed into the training of its successor.

Old labelled rows where the checkpoint brings them along, else texts with the champion's own answers (Li & Hoiem
2016, "Learning without Forgetting"). Answers that it only leans to are taken too: with the sure ones alone, training
moved every border between classes, and no replay text noticed.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

from core.records import Opinion
from core.taxonomy import CLASSES, HEADS, Head
from core.texts import part_of, text_hash
from models.datasets import LabelledText, read_labelled

REPLAY_FILE: Final = "replay.jsonl.gz"  # beside the weights, in the form of `datasets.read_labelled`
LEANS_TO: Final = 0.5  # least score of an answer that is filled in: more likely right than not
HELD_OUT_SHARE: Final = 0.2
DEV_SHARE: Final = 0.1
FEWEST_ROWS: Final = 4000  # when there are so many: few labels need the more of an anchor
ROWS_PER_LABEL: Final = 2

Classify = Callable[[Sequence[str]], list[Opinion]]


@dataclass(frozen=True)
class Replay:
    """Rows of the champion's knowledge; a text's hash decides for good to which part it goes.

    Attributes:
        labels: the labelled rows to train on, with the champion's answers for the heads nobody answered: a run on
            topics alone must not lose the sentiments.
        held_out: never trained on, in no run.
        origin: `file` came with the champion, `self` are its own answers to stored documents.
    """

    labels: list[LabelledText]
    train: list[LabelledText]
    dev: list[LabelledText]
    held_out: list[LabelledText]
    origin: Literal["file", "self"]


def build(
    champion: Path,
    classify: Classify,
    *,
    labels: Sequence[LabelledText],
    held_out: Sequence[LabelledText],
    pool: Sequence[LabelledText],
) -> Replay:
    """Replay for one training: `ROWS_PER_LABEL` rows for each label, at least `FEWEST_ROWS`, if they exist.

    Args:
        classify: the champion.
        labels: what will be trained on or stopped by.
        held_out: labels for the gate. The champion's answers for their other heads join the held-out part.
        pool: texts without answers; only read when the champion brings no replay file.
    """
    anchored = self_labelled(labels, classify([row.text for row in labels]))
    other_heads = self_labelled(held_out, classify([row.text for row in held_out]))
    known, origin = _known(champion, classify, pool)
    answered = {text_hash(row.text) for row in (*labels, *held_out)}
    fresh = [row for row in known if text_hash(row.text) not in answered]
    train, dev, unseen = _parts(balanced(fresh, max(FEWEST_ROWS, ROWS_PER_LABEL * len(labels))))
    if origin == "self":
        unseen += [row for row in map(_only_new, held_out, other_heads) if row.topic or row.sentiment]
    return Replay(anchored, train, dev, unseen, origin)


def self_labelled(texts: Sequence[LabelledText], opinions: Sequence[Opinion]) -> list[LabelledText]:
    """The texts, with the champion's answer for each head that has none and where it leans to one."""
    filled = []
    for text, opinion in zip(texts, opinions, strict=True):
        topic, sentiment = text.topic, text.sentiment
        if topic is None and opinion.topic_scores[opinion.topic_label] >= LEANS_TO:
            topic = opinion.topic_label
        if sentiment is None and opinion.sentiment_scores[opinion.sentiment] >= LEANS_TO:
            sentiment = opinion.sentiment
        filled.append(replace(text, topic=topic, sentiment=sentiment))
    return filled


def balanced(rows: Sequence[LabelledText], wanted: int) -> list[LabelledText]:
    """At most `wanted` rows in which frequent classes do not crowd out rare ones; the same for the same rows.

    A row is taken while any of its answers is below its class's even share; what is then still missing is filled
    with the rows that were passed over.
    """
    share = {head: -(-wanted // len(classes)) for head, classes in CLASSES.items()}
    taken: list[LabelledText] = []
    passed_over: list[LabelledText] = []
    counts: Counter[tuple[Head, str]] = Counter()
    for row in sorted(rows, key=lambda row: text_hash(row.text)):
        answers = [(head, answer) for head in HEADS if (answer := row.label(head))]
        if len(taken) < wanted and any(counts[head, answer] < share[head] for head, answer in answers):
            counts.update(answers)
            taken.append(row)
        else:
            passed_over.append(row)
    return taken + passed_over[: wanted - len(taken)]


def _known(
    champion: Path, classify: Classify, pool: Sequence[LabelledText]
) -> tuple[list[LabelledText], Literal["file", "self"]]:
    path = champion / REPLAY_FILE
    if path.is_file():
        return read_labelled(path), "file"
    filled = self_labelled(pool, classify([row.text for row in pool]))
    return [row for row in filled if row.topic or row.sentiment], "self"


def _parts(rows: Sequence[LabelledText]) -> tuple[list[LabelledText], list[LabelledText], list[LabelledText]]:
    train: list[LabelledText] = []
    dev: list[LabelledText] = []
    held_out: list[LabelledText] = []
    for row in rows:
        # From the hash's other end than a split of labels, which must not fall together with this one.
        place = part_of(text_hash(row.text)[::-1])
        part = held_out if place < HELD_OUT_SHARE else dev if place < HELD_OUT_SHARE + DEV_SHARE else train
        part.append(row)
    return train, dev, held_out


def _only_new(before: LabelledText, filled: LabelledText) -> LabelledText:
    """What the champion said, without what people said."""
    return replace(
        filled,
        topic=None if before.topic else filled.topic,
        sentiment=None if before.sentiment else filled.sentiment,
    )
