"""The gate: who may become champion, and why not."""

from models.gate import Comparison, judge

NOTHING = Comparison(0, "macro-F1", {}, {})


def compared(champion: float, candidate: float, texts: int = 200) -> Comparison:
    return Comparison(texts, "macro-F1", {"topic": champion}, {"topic": candidate})


def test_better_is_promoted_with_figures() -> None:
    """The reason names both figures and what they were measured on."""
    verdict = judge(compared(0.5, 0.6), compared(0.9, 0.9), tolerance=0.0)
    assert verdict.is_promoted
    assert verdict.reasons[0] == (
        "passed: held-out labels (200 texts): macro-F1 0.6000, champion 0.5000, +0.1000, may lose 0.0000 "
        "(topic 0.6000 against 0.5000)"
    )


def test_as_good_is_promoted_and_worse_is_not() -> None:
    """Without tolerance the candidate may be equal, not lower; with it, lower by as much."""
    assert judge(compared(0.5, 0.5), NOTHING, tolerance=0.0).is_promoted
    assert not judge(compared(0.5, 0.49), NOTHING, tolerance=0.0).is_promoted
    assert judge(compared(0.5, 0.49), NOTHING, tolerance=0.02).is_promoted


def test_heads_count_alike() -> None:
    """The mean over the heads decides: a gain in one may pay for a loss in the other."""
    both = Comparison(200, "macro-F1", {"topic": 0.5, "sentiment": 0.5}, {"topic": 0.7, "sentiment": 0.4})
    assert judge(both, NOTHING, tolerance=0.0).is_promoted


def test_what_forgets_is_refused() -> None:
    """Better on new labels does not pay for forgetting old knowledge."""
    verdict = judge(compared(0.5, 0.9), compared(0.9, 0.87), tolerance=0.0)
    assert not verdict.is_promoted
    assert verdict.reasons[1].startswith("refused: replay texts (200 texts): macro-F1 0.8700")


def test_weak_evidence_is_said() -> None:
    """Few held-out texts are named as such; few replay texts decide nothing."""
    verdict = judge(compared(0.5, 0.6, texts=10), compared(0.9, 0.1, texts=5), tolerance=0.0)
    assert verdict.is_promoted
    assert verdict.reasons[1:] == [
        "forgetting was not judged: 5 replay texts",
        "a weak verdict: only 10 held-out texts",
    ]
