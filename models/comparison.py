"""Champion and candidate on the same texts, as figures that the gate can judge."""

from collections.abc import Mapping, Sequence

from core.records import Opinion
from core.taxonomy import HEADS, Head
from models.datasets import LabelledText
from models.evaluation import evaluate
from models.gate_verdict import Comparison


def by_answers(rows: Sequence[LabelledText], champion: Sequence[Opinion], candidate: Sequence[Opinion]) -> Comparison:
    """By macro-F1 on true answers; the opinions are in the order of the rows."""
    before, after = evaluate(rows, champion), evaluate(rows, candidate)
    return Comparison(len(rows), "macro-F1", _macro_f1(before), _macro_f1(after))


def by_belief(rows: Sequence[LabelledText], champion: Sequence[Opinion], candidate: Sequence[Opinion]) -> Comparison:
    """By the accuracy that the champion's own scores expect of each, where nobody knows the true answers.

    A changed answer costs what the champion believed in its own more than in the new one: much where it was sure,
    next to nothing where two classes were as likely.
    """
    before: dict[str, float] = {}
    after: dict[str, float] = {}
    for head in HEADS:
        pairs = [
            (_scores(head, old), _answer(head, new))
            for row, old, new in zip(rows, champion, candidate, strict=True)
            if row.label(head)
        ]
        if pairs:
            before[head] = round(sum(max(scores.values()) for scores, _ in pairs) / len(pairs), 4)
            after[head] = round(sum(scores.get(answer, 0.0) for scores, answer in pairs) / len(pairs), 4)
    return Comparison(len(rows), "expected accuracy", before, after)


def _macro_f1(figures: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    return {str(head): by_head["macro_f1"] for head, by_head in figures.items()}


def _scores(head: Head, opinion: Opinion) -> dict[str, float]:
    return opinion.topic_scores if head == "topic" else opinion.sentiment_scores


def _answer(head: Head, opinion: Opinion) -> str:
    return opinion.topic_label if head == "topic" else opinion.sentiment
