"""Drift between two windows: still where nothing changes, seen where something does."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from core.metrics import DRIFT_MEASURES
from models.drift import Drawn, Labelled, check
from models.drift_figures import ABOUT, MEASURES, Figure
from models.drift_measures import HOW, mean_distance, mix_distance
from models.drift_samples import Sample, blocks_of, build
from models.drift_thresholds import drawn_effects, threshold

START = datetime(2026, 1, 1, tzinfo=UTC)
OLD_WORDS, NEW_WORDS = "今天天气很好我们去公园玩", "股票大涨银行利好牛市主力"


def window(
    seed: int,
    size: int = 400,
    *,
    first_day: int = 0,
    days: int = 14,
    new: float = 0.0,
    sure: float = 6.0,
    shares: Sequence[float] = (0.5, 0.3, 0.2),
    sources: Sequence[str] = ("weibo",),
    langs: Sequence[str] = ("zh",),
) -> Sample:
    """Made-up documents of one stream.

    Args:
        new: share of texts of another kind.
        sure: how far scores lie from even.
        shares: of the classes that are said.
    """
    rng = np.random.default_rng(seed)
    is_new = rng.random(size) < new
    texts = ["".join(rng.choice(list(NEW_WORDS if other else OLD_WORDS), 12)) for other in is_new]
    said = rng.choice(3, size, p=shares)
    sentiment = rng.dirichlet(np.ones(3), size)
    sentiment = (sentiment + sure * np.eye(3)[said]) / (1 + sure)
    return build(
        texts,
        [START + timedelta(days=first_day + float(at)) for at in np.sort(rng.uniform(0, days, size))],
        rng.choice(sources, size).tolist(),
        rng.choice(langs, size).tolist(),
        {"topic": rng.dirichlet(np.full(17, 0.5), size), "sentiment": sentiment},
        rng.normal(size=(size, 8)) + 2.0 * is_new[:, None],
    )


@pytest.fixture(scope="module")
def drawn() -> Drawn:
    """Effects without drift, drawn once for the one reference of these tests."""
    return {}


def drifted(figures: Sequence[Figure], kind: str = "all") -> set[str]:
    return {one.measure for one in figures if one.is_drifted and one.slice_kind == kind}


def test_a_stationary_stream_does_not_drift() -> None:
    """Another week of the same stream is within what the reference does by itself, in every slice."""
    reference = window(1, 800, sources=("weibo", "news"), langs=("zh", "en"))
    figures = check(reference, window(2, first_day=14, days=7, sources=("weibo", "news"), langs=("zh", "en")))
    assert [one for one in figures if one.is_drifted] == []
    assert {(one.slice_kind, one.slice_value) for one in figures} == {
        ("all", ""),
        ("lang", "zh"),
        ("lang", "en"),
        ("source", "weibo"),
        ("source", "news"),
    }
    assert {one.measure for one in figures if one.slice_kind == "all"} == set(MEASURES)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"new": 0.4}, {"text", "embedding"}),
        ({"shares": (0.2, 0.3, 0.5)}, {"sentiment_share"}),
        ({"sure": 1.0}, {"sentiment_confidence", "sentiment_accuracy"}),
        ({"sources": ("weibo", "forum")}, {"source_mix"}),
        ({"langs": ("zh", "en")}, {"language_mix"}),
    ],
)
def test_each_change_shows_in_its_measure(changes: dict, expected: set[str], drawn: Drawn) -> None:
    """New texts, other shares, less certainty, a new source, a new language: each is told by what measures it."""
    found = drifted(check(window(1, 800), window(2, first_day=14, days=7, **changes), drawn=drawn))
    assert expected <= found
    assert len(found) <= len(expected) + 1  # the rest of the stream is as it was


def test_a_check_is_the_same_each_time() -> None:
    """Equal samples and seed give equal figures, so two schedulers agree."""
    given = window(1, 200), window(2, 200, first_day=14)
    assert check(*given) == check(*given)


def test_days_that_differ_raise_the_threshold() -> None:
    """A stream whose days are each about something else may differ by a week of such days without drift."""
    calm, moody = np.full(1400, 0.5), np.repeat(np.tile([0.2, 0.8], 7), 100)
    rng = np.random.default_rng(0)
    limits = []
    for shares in (calm, moody):
        sample = window(3, 1400)
        sample.scores["sentiment"][:] = np.where(rng.random(1400) < shares, 1, 0)[:, None] * [1.0, 0, 0] + [0, 0.5, 0]
        limits.append(threshold(drawn_effects(sample, 300, "sentiment_share", np.random.default_rng(0)), 10))
    assert limits[1] > 2 * limits[0]


def test_more_tests_need_more_evidence() -> None:
    """The chance of any false alarm is bounded for a check, however many slices it has."""
    drawn = np.random.default_rng(0).normal(size=100)
    assert threshold(drawn, 100) > threshold(drawn, 20) >= drawn.max()


def test_few_days_are_cut_into_pieces() -> None:
    """A reference of one day has pieces to resample, in the order of time."""
    blocks = blocks_of([START + timedelta(minutes=nth) for nth in reversed(range(80))])
    assert sorted(set(blocks.tolist())) == list(range(8))
    assert blocks[0] == 7


def test_distances_have_their_units() -> None:
    """A mix that is all new is at 1, and means one spread apart are at 1."""
    assert mix_distance(np.array(["a", "b"], object), np.array(["c"], object)) == 1.0
    old, new = window(1, 4000), window(2, 4000)
    new.vectors[:] = new.vectors + np.sqrt(np.square(old.vectors).sum(axis=1).mean() / 8)
    assert mean_distance(old, new) == pytest.approx(1.0, abs=0.05)


def test_labels_calibrate_the_estimates(drawn: Drawn) -> None:
    """With labelled texts, shares and accuracy are estimated by them, and the figure says so."""
    reference, current = window(1, 800), window(2, first_day=14, days=7, sure=1.0, shares=(0.2, 0.3, 0.5))
    known = window(5, 300)
    labels = known.scores["sentiment"].argmax(axis=1)
    known_answers = Labelled(known.scores["sentiment"], labels)
    figures = check(reference, current, labelled={"sentiment": known_answers}, drawn=drawn)
    details = {one.measure: one.detail for one in figures if one.slice_kind == "all"}
    assert details["sentiment_accuracy"]["method"] == "atc"
    assert details["sentiment_accuracy"]["low"] <= details["sentiment_accuracy"]["estimate"] < 0.95
    assert details["sentiment_share"]["estimated_by"] == "labels"
    assert details["sentiment_share"]["estimated_now"]["positive"] == pytest.approx(0.5, abs=0.1)
    assert details["topic_accuracy"]["method"] == "mean_score"


def test_every_measure_is_described_and_counted() -> None:
    """What is computed, what people read and what metrics carry are the same measures."""
    assert set(HOW) == set(ABOUT) == set(DRIFT_MEASURES) == set(MEASURES)
