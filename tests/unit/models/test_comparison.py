"""Figures of two models on the same texts."""

import pytest

from core.records import Opinion
from core.taxonomy import TOPICS
from models.comparison import by_answers, by_belief
from models.datasets import LabelledText


def opinion(sentiment: str, score: float) -> Opinion:
    """Sure of a topic, and of this sentiment so much; the rest is split between the other two."""
    rest = (1 - score) / 2
    return Opinion(
        topic_label="sports",
        topic_scores={**dict.fromkeys(TOPICS, 0.0), "sports": 1.0},
        sentiment=sentiment,  # type: ignore[arg-type]
        sentiment_scores={**dict.fromkeys(("negative", "neutral", "positive"), rest), sentiment: score},
        model_version="m",
    )


ROWS = [LabelledText("a", sentiment="negative"), LabelledText("b", sentiment="positive")]


def test_true_answers_are_judged_by_macro_f1() -> None:
    """Right on one of two against right on both."""
    champion = [opinion("negative", 0.9), opinion("negative", 0.9)]
    found = by_answers(ROWS, champion, [opinion("negative", 0.9), opinion("positive", 0.9)])
    assert found.measure == "macro-F1"
    assert found.candidate == {"sentiment": 1.0}
    assert found.champion["sentiment"] == pytest.approx(1 / 3, abs=1e-3)


def test_changing_a_sure_answer_costs_more_than_a_doubtful_one() -> None:
    """Without true answers a change costs what the champion believed in its own more than in the new one."""
    champion = [opinion("negative", 0.9), opinion("positive", 0.4)]
    sure_changed = by_belief(ROWS, champion, [opinion("positive", 0.9), opinion("positive", 0.9)])
    doubtful_changed = by_belief(ROWS, champion, [opinion("negative", 0.9), opinion("negative", 0.9)])
    assert round(sure_changed.gain, 3) == round((0.05 - 0.9) / 2, 3)
    assert round(doubtful_changed.gain, 3) == round((0.3 - 0.4) / 2, 3)
    assert by_belief(ROWS, champion, champion).gain == 0
