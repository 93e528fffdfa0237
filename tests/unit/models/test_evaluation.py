import msgspec
import pytest

from core.records import Opinion
from core.taxonomy import SENTIMENTS
from models.datasets import LabelledText
from models.evaluation import by_language, evaluate


def opinion(negative: float, neutral: float, positive: float) -> Opinion:
    scores = dict(zip(SENTIMENTS, (negative, neutral, positive), strict=True))
    return Opinion(
        topic_label="sports",
        topic_scores={"sports": 0.9, "travel": 0.1},
        sentiment=max(SENTIMENTS, key=lambda name: scores[name]),
        sentiment_scores=scores,
        model_version="v",
    )


ROWS = [
    LabelledText("a", sentiment="negative", lang="zh"),
    LabelledText("b", sentiment="positive", lang="en"),
    LabelledText("c", topic="sports", lang="zh"),
    LabelledText("d", sentiment="positive", lang="zh"),
]
OPINIONS = [opinion(0.6, 0.3, 0.1), opinion(0.1, 0.6, 0.3), opinion(0.2, 0.3, 0.5), opinion(0.2, 0.3, 0.5)]


def test_rows_without_a_label_are_left_out() -> None:
    """Each head counts its own answers."""
    figures = evaluate(ROWS, OPINIONS)
    assert figures["sentiment"]["rows"] == 3
    assert figures["topic"]["rows"] == 1


def test_a_head_nobody_answered_is_absent() -> None:
    """A file with topics only says nothing about sentiment."""
    assert set(evaluate(ROWS[:2], OPINIONS[:2])) == {"sentiment"}


def test_accuracy_present_limits_the_choice_to_classes_of_the_file() -> None:
    """A file without neutral rows can be judged with and without that choice."""
    figures = evaluate(ROWS, OPINIONS)["sentiment"]
    assert figures["accuracy"] == pytest.approx(2 / 3, abs=1e-4)
    assert figures["accuracy_present"] == 1.0


def test_macro_figures_average_over_the_classes_that_occur() -> None:
    """negative: all right; positive: one of two found, nothing wrongly called so."""
    figures = evaluate(ROWS, OPINIONS)["sentiment"]
    assert figures["macro_recall"] == pytest.approx(0.75)
    assert figures["macro_f1"] == pytest.approx((1 + 2 / 3) / 2, abs=1e-4)
    assert figures["per_class"]["positive"] == {"precision": 1.0, "recall": 0.5, "f1": 0.6667, "rows": 2}


def test_figures_of_present_classes_pass_over_answers_that_cannot_be_right() -> None:
    """Without neutral rows, (0.1, 0.6, 0.3) is a positive of 0.75: all three are right, at 0.857, 0.75 and 0.714."""
    figures = evaluate(ROWS, OPINIONS)["sentiment"]
    assert figures["macro_f1_present"] == 1.0
    assert figures["ece_present"] == pytest.approx(1 - (0.6 / 0.7 + 0.75 + 0.5 / 0.7) / 3, abs=1e-4)
    assert figures["ece_present"] < figures["ece"]


def test_confusion_counts_answers_of_each_true_class() -> None:
    """One positive was called neutral, a class that no row has."""
    confusion = evaluate(ROWS, OPINIONS)["sentiment"]["confusion"]
    assert confusion == {"classes": ["negative", "neutral", "positive"], "counts": [[1, 0, 0], [0, 0, 0], [0, 1, 1]]}


def test_doubtful_answers_are_judged_apart() -> None:
    """The mark is worth something when marked answers are worse than the others."""
    marked = [msgspec.structs.replace(one, sentiment_uncertain=one.sentiment == "neutral") for one in OPINIONS]
    uncertain = evaluate(ROWS, marked)["sentiment"]["uncertain"]
    assert uncertain == {"rows": 1, "accuracy": 0.0, "accuracy_certain": 1.0}
    assert evaluate(ROWS, OPINIONS)["sentiment"]["uncertain"]["accuracy"] is None


def test_languages_are_judged_apart() -> None:
    """A model may be good in one language and bad in another."""
    apart = by_language(ROWS, OPINIONS)
    assert apart["zh"]["sentiment"]["accuracy"] == 1.0
    assert apart["en"]["sentiment"]["accuracy"] == 0.0


def test_a_class_the_model_does_not_know_scores_zero() -> None:
    """A checkpoint with fewer topics is judged on all of them."""
    figures = evaluate([LabelledText("x", topic="game")], OPINIONS[:1])
    assert figures["topic"]["accuracy"] == 0.0
