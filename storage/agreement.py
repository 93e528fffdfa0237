"""How far annotators agree: in pairs by Cohen's kappa, together by Krippendorff's alpha.

Of each annotator the newest answer to each question counts; adjudications do not, they are given in view of the
others' answers. Both figures are 1 for full agreement and 0 for what chance alone would give.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from core.settled_answers import Answer, newest
from core.taxonomy import HEADS, Head
from core.texts import text_hash
from storage.human_labels import LabelRow

Votes = Mapping[str, str]
"""The answers to one question by annotator."""


@dataclass(frozen=True)
class Pair:
    """Two annotators on the texts that both answered.

    Attributes:
        same: the share of answers that are the same.
        kappa: Cohen's; None where both always gave one and the same class, so that chance explains everything.
    """

    head: Head
    annotators: tuple[str, str]
    texts: int
    same: float
    kappa: float | None


@dataclass(frozen=True)
class Together:
    """All annotators of a head on the texts that at least two of them answered.

    Attributes:
        alpha: Krippendorff's, for classes without an order; None as in `Pair`, or without such texts.
    """

    head: Head
    annotators: int
    texts: int
    alpha: float | None


def agreement(rows: Iterable[LabelRow]) -> tuple[list[Together], list[Pair]]:
    """The figures of each head, and of each pair that has texts in common, those with most texts first."""
    together: list[Together] = []
    pairs: list[Pair] = []
    for head, questions in _votes(rows).items():
        shared = [votes for votes in questions if len(votes) > 1]
        people = {name for votes in shared for name in votes}
        together.append(Together(head, len(people), len(shared), krippendorff_alpha([*map(_values, shared)])))
        for first, second in combinations(sorted(people), 2):
            both = [(votes[first], votes[second]) for votes in shared if first in votes and second in votes]
            if both:
                same = sum(one == other for one, other in both) / len(both)
                pairs.append(Pair(head, (first, second), len(both), same, cohen_kappa(both)))
    return together, sorted(pairs, key=lambda pair: (HEADS.index(pair.head), -pair.texts, pair.annotators))


def _votes(rows: Iterable[LabelRow]) -> dict[Head, list[Votes]]:
    given: dict[Head, defaultdict[bytes, list[Answer]]] = {head: defaultdict(list) for head in HEADS}
    for row in rows:
        if not row.is_adjudication:
            answer = Answer(row.annotator, row.answer, row.labelled_at, row.id)
            given[row.head][text_hash(row.text)].append(answer)
    return {
        head: [{one.annotator: one.answer for one in newest(answers)} for answers in texts.values()]
        for head, texts in given.items()
    }


def _values(votes: Votes) -> list[str]:
    return list(votes.values())


def cohen_kappa(both: Sequence[tuple[str, str]]) -> float | None:
    """Cohen's kappa of two people's answers; None where both always gave one and the same class.

    J. Cohen, "A Coefficient of Agreement for Nominal Scales" (1960), equation 1. Written out here, because a page
    of the console shows it and scikit-learn takes seconds to import.
    """
    n = len(both)
    first, second = (Counter(answers) for answers in zip(*both, strict=True))
    same = sum(one == other for one, other in both) / n
    by_chance = sum(first[answer] * second[answer] for answer in first) / n**2
    return None if by_chance == 1 else (same - by_chance) / (1 - by_chance)


def krippendorff_alpha(units: Sequence[Sequence[str]]) -> float | None:
    """Krippendorff's alpha for nominal data with missing values; None where only one class occurs.

    K. Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011), section C.

    Args:
        units: the answers to each question, without those who did not answer it.
    """
    totals: Counter[str] = Counter()
    disagreed = 0.0
    for values in units:
        if len(values) < 2:
            continue
        counts = Counter(values)
        totals.update(values)
        disagreed += sum(count * (len(values) - count) for count in counts.values()) / (len(values) - 1)
    n = totals.total()
    by_chance = sum(count * (n - count) for count in totals.values())
    return 1 - (n - 1) * disagreed / by_chance if by_chance else None
