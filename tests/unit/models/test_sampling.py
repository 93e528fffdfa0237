"""What is chosen to be labelled next."""

from itertools import pairwise

import numpy as np
import pytest

from models.sampling import Chosen, Reason, alert_impact, choose, herd, uncertainty
from models.text_vectors import text_vectors

CARS = [f"刹车失灵，差点出事，第{nth}次了" for nth in range(8)]
FOOD = [f"this noodle shop is slow and overpriced, visit {nth}" for nth in range(8)]
UNSURE = np.full(16, 0.5, dtype=np.float32)


def vectors() -> np.ndarray:
    return text_vectors(CARS + FOOD)


def picked(chosen: list[Chosen], reason: Reason) -> list[int]:
    return [one.index for one in chosen if one.reason == reason]


def test_uncertainty_is_how_little_the_first_class_leads() -> None:
    """1 for a tie of the two likeliest, 0 for certainty, whatever the other classes have; one class is certain."""
    found = uncertainty([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0], [0.4, 0.35, 0.25]])
    assert found == pytest.approx([1.0, 0.0, 0.95])
    assert uncertainty([[1.0]]) == pytest.approx([0.0])


def test_likely_flips_near_the_border_weigh_most() -> None:
    """A counted document that is hardly negative, or one not counted that nearly is; less the further the border."""
    doubtful = alert_impact(0.51, is_counted=True, distance=1)
    assert doubtful == pytest.approx(0.49)
    assert alert_impact(0.98, is_counted=True, distance=1) == pytest.approx(0.02)
    assert alert_impact(0.45, is_counted=False, distance=-1) == pytest.approx(0.45)
    assert alert_impact(0.51, is_counted=True, distance=-10) == pytest.approx(0.049)
    assert alert_impact(0.51, is_counted=True, distance=0.2) == doubtful


def test_alike_texts_lie_near_each_other() -> None:
    """Texts on one thing have vectors of one direction, others do not; an empty text is like nothing."""
    found = text_vectors([*CARS, *FOOD, ""])
    cosines = found @ found.T
    assert cosines[0, 1:8].min() > 0.5 > cosines[0, 8:16].max()
    assert not found[16].any()
    assert len(text_vectors([])) == 0
    assert len(text_vectors(["one"])) == 1
    assert text_vectors(["same", "same", ""]).shape == (3, 2)


def test_two_clusters_give_one_each() -> None:
    """Equally unsure everywhere, two questions are not spent on the same story."""
    chosen = [index for index, _ in herd(vectors(), UNSURE, 2)]
    assert sorted(index // 8 for index in chosen) == [0, 1]


def test_the_unsure_cluster_is_asked_about() -> None:
    """Where the model is sure there is nothing to ask; gains do not grow, and no row comes twice."""
    weights = np.array([0.01] * 8 + [0.9] * 8, dtype=np.float32)
    found = herd(vectors(), weights, 16)
    assert found[0][0] >= 8
    assert len({index for index, _ in found}) == 16
    gains = [gain for _, gain in found]
    assert all(later <= before + 1e-5 for before, later in pairwise(gains))


def test_what_is_labelled_is_covered() -> None:
    """Texts like labelled ones teach less than others."""
    every = text_vectors([*CARS, *FOOD])
    chosen = herd(every, UNSURE, 1, covered=every[8:])
    assert chosen[0][0] < 8


def test_lazy_gains_choose_as_plain_greed_does() -> None:
    """Leaving out computations changes nothing: checked against the greedy algorithm written plainly."""
    chance = np.random.default_rng(3)
    rows = chance.normal(size=(60, 8)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    weights = chance.random(60, dtype=np.float32)
    near = np.exp(-(2 - 2 * rows @ rows.T) / 0.49)
    reached, plain = np.zeros(60), []
    for _ in range(12):
        gains = weights @ np.maximum(near - reached[:, None], 0)
        gains[plain] = -1
        plain.append(int(gains.argmax()))
        reached = np.maximum(reached, near[plain[-1]])
    assert [index for index, _ in herd(rows, weights, 12, radius=0.7)] == plain


def test_each_reason_gets_its_number_and_no_text_comes_twice() -> None:
    """Chance, alert, uncertain and diverse side by side."""
    wanted: dict[Reason, int] = {"random": 3, "alert": 2, "uncertain": 4, "diverse": 2}
    chosen = choose(UNSURE, vectors(), wanted, np.random.default_rng(1), impacts=dict.fromkeys(range(16), 0.1))
    assert {reason: len(picked(chosen, reason)) for reason in wanted} == wanted
    assert len({one.index for one in chosen}) == 11
    assert all(0 <= one.score <= 1 for one in chosen)


def test_chance_is_even_whatever_the_model_thinks() -> None:
    """Over many draws every text comes as often as any other, queued or not, of an incident or not."""
    unsure = np.linspace(0, 1, 16, dtype=np.float32)
    counts = np.zeros(16)
    for seed in range(2000):
        chosen = choose(unsure, vectors_cached, {"random": 4}, np.random.default_rng(seed), not_by_score=range(8))
        counts[picked(chosen, "random")] += 1
    assert np.abs(counts - 500).max() < 5 * np.sqrt(500 * 0.75)


vectors_cached = vectors()


def test_documents_of_incidents_do_not_tilt_the_rest() -> None:
    """What was read for an incident's sake is no part of the stream's sample: only the alert share may take it."""
    wanted: dict[Reason, int] = {"random": 16, "alert": 1, "uncertain": 16, "diverse": 16}
    for seed in range(5):
        chosen = choose(
            UNSURE, vectors_cached, wanted, np.random.default_rng(seed), impacts={0: 0.2, 1: 0.4}, only_alert=[0, 1]
        )
        assert picked(chosen, "alert") == [1]
        assert 0 not in {one.index for one in chosen}


def test_scores_of_another_model_are_not_gone_by() -> None:
    """Queued documents and those that another model judged are left to chance."""
    wanted: dict[Reason, int] = {"alert": 8, "uncertain": 8, "diverse": 8}
    chosen = choose(
        UNSURE, vectors_cached, wanted, np.random.default_rng(0), impacts={0: 1.0, 9: 1.0}, not_by_score=range(8)
    )
    assert {one.index for one in chosen} == set(range(8, 16))


def test_nothing_to_choose_from() -> None:
    """No candidates, no choice."""
    empty = np.zeros(0, dtype=np.float32)
    assert choose(empty, np.zeros((0, 4), np.float32), {"random": 2, "uncertain": 2}, np.random.default_rng(0)) == []
