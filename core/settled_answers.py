"""What people's answers to one question come to: an adjudicator's word, else what most of them say."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple


class Answer(NamedTuple):
    """One answer that stands.

    Attributes:
        number: the order of recording, for answers of one moment.
        is_adjudication: given to settle what others disagree about.
    """

    annotator: str
    answer: str
    labelled_at: datetime
    number: int
    is_adjudication: bool = False


class Settled(NamedTuple):
    """The answer, who is for it (by name), and when the last of them gave it."""

    answer: str
    by: tuple[str, ...]
    at: datetime


def newest(answers: Iterable[Answer]) -> list[Answer]:
    """The newest answer of each annotator, the earlier given first; who changes their mind has one voice."""
    found: dict[str, Answer] = {}
    for one in sorted(answers, key=lambda one: (one.labelled_at, one.number)):
        found.pop(one.annotator, None)
        found[one.annotator] = one
    return list(found.values())


def settle(answers: Iterable[Answer]) -> Settled | None:
    """The newest adjudication, else what most annotators say in their newest answers; None for a tie or nothing."""
    given = list(answers)
    adjudications = newest(one for one in given if one.is_adjudication)
    if adjudications:
        last = adjudications[-1]
        return Settled(last.answer, (last.annotator,), last.labelled_at)
    voices = newest(given)
    first, *others = Counter(one.answer for one in voices).most_common(2) or [("", 0)]
    if not voices or (others and others[0][1] == first[1]):
        return None
    chosen = [one for one in voices if one.answer == first[0]]
    return Settled(first[0], tuple(sorted(one.annotator for one in chosen)), chosen[-1].labelled_at)
