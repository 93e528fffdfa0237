"""Intervals and chances of two models on the same texts."""

import numpy as np
import pytest
from scipy.stats import norm

from models.paired import (
    PairedHead,
    adjusted_interval,
    chance_of_losses,
    differences,
    holm,
    macro_f1_differences,
    mcnemar,
)


def head(labels: list[int], before: list[int], after: list[int]) -> dict[str, PairedHead]:
    return {"topic": PairedHead(np.arange(len(labels)), *map(np.array, (labels, before, after)))}


def test_the_estimate_is_the_difference_of_macro_f1() -> None:
    """By hand: F1 of 2/3 and 0 against 1 and 1; a class that nobody was asked for does not count."""
    found = differences(macro_f1_differences(head([0, 0, 1], [0, 0, 5], [0, 0, 1])), 3, confidence=0.9, resamples=200)
    assert found["topic"].estimate == found["mean"].estimate == 0.5


def test_the_same_draw_for_both_and_always_the_same_draws() -> None:
    """Models that agree everywhere differ in no resample; a verdict can be worked out again."""
    labels = [nth % 3 for nth in range(60)]
    same = differences(macro_f1_differences(head(labels, [0] * 60, [0] * 60)), 60, confidence=0.9, resamples=200)
    assert (same["mean"].low, same["mean"].high) == (0, 0)
    after = [label if nth % 4 else 0 for nth, label in enumerate(labels)]
    twice = [
        differences(macro_f1_differences(head(labels, [0] * 60, after)), 60, confidence=0.9, resamples=300)
        for _ in range(2)
    ]
    assert twice[0] == twice[1]
    assert twice[0]["mean"].low < twice[0]["mean"].estimate < twice[0]["mean"].high


def test_the_interval_is_as_wide_as_the_normal_one_for_shares() -> None:
    """Of one class macro-F1 is nearly a share, whose error is known: the bootstrap must find it."""
    texts = 2000
    right = np.random.default_rng(3).random((2, texts)) < 0.7
    statistic = lambda weights: {"share": (weights @ right[1] - weights @ right[0]) / texts}  # noqa: E731
    found = differences(statistic, texts, confidence=0.9, resamples=2000)["share"]
    change = right[1].astype(float) - right[0]
    half = norm.ppf(0.95) * change.std() / np.sqrt(texts)
    assert found.low == pytest.approx(change.mean() - half, abs=0.003)
    assert found.high == pytest.approx(change.mean() + half, abs=0.003)


def test_heads_of_other_texts_are_drawn_with_them() -> None:
    """A head that only some texts answer is resampled by those texts' places."""
    heads = head([0, 1], [0, 0], [0, 1]) | {"sentiment": PairedHead(np.array([2]), *[np.array([0])] * 3)}
    found = differences(macro_f1_differences(heads), 3, confidence=0.9, resamples=200)
    assert found["sentiment"].estimate == 0
    assert found["mean"].estimate == pytest.approx(found["topic"].estimate / 2, abs=1e-4)


def test_exact_chances() -> None:
    """Six changed answers, all lost: 1 in 64 one-sided, 2 in 64 two-sided; nothing changed says nothing."""
    assert chance_of_losses(0, 6) == pytest.approx(1 / 64)
    assert mcnemar(0, 6) == pytest.approx(2 / 64)
    assert (chance_of_losses(0, 0), mcnemar(0, 0)) == (1, 1)


def test_holm_goes_on_as_long_as_it_rejects() -> None:
    """0.01 < 0.05 / 4, 0.015 < 0.05 / 3, 0.03 > 0.05 / 2: two of four."""
    assert holm([0.03, 0.01, 0.9, 0.015], 0.05) == [False, True, False, True]
    assert holm([], 0.05) == []


@pytest.mark.parametrize(("gained", "lost", "rows"), [(0, 0, 12), (0, 12, 12), (3, 9, 40)])
def test_small_slices_have_wide_intervals(gained: int, lost: int, rows: int) -> None:
    """Even where nothing or everything changed; and the bounds are shares."""
    low, high = adjusted_interval(gained, lost, rows, 1.645)
    assert -1 <= low < (gained - lost) / (rows + 2) < high <= 1
