"""The alert budget: one threshold for many series, from what they scored while nothing happened."""

from datetime import UTC, datetime, timedelta
from math import log
from random import Random

import pytest

from alerts.detection.budget import FEWEST_SCORES, MIN_PART, MOST_EXTRA, ScorePool
from alerts.detection.detectors import SHARE_PART, Verdict

START = datetime(2026, 3, 1, tzinfo=UTC)
BUCKET = timedelta(minutes=5)
BASE = 4.5


def verdict(at: datetime, score: float) -> Verdict:
    """Of a bucket that would reach this threshold, as much by its share as it must."""
    share = score * SHARE_PART
    count = max(MIN_PART, score - share) if score else 0.0
    return Verdict(at, count, share, 0, 0, 0, 0, BUCKET, 0, BASE, is_firing=False, is_learning=False)


def scored(scale: float, *, scores: int = 60_000, days: int = 1, state: dict[str, object] | None = None) -> ScorePool:
    """A pool in which one score in twenty is not zero, and these fall off exponentially above 2."""
    random, pool = Random(1), ScorePool(BUCKET, per_thousand=5, base=BASE, state=state)
    for n in range(scores):
        at = START + timedelta(days=days * n / scores)
        pool.add(verdict(at, 2 + random.expovariate(1 / scale) if n % 20 == 0 else 0.0))
    return pool


def test_calm_series_keep_the_threshold() -> None:
    """Where scores fall off as they should, nobody has to ask for more."""
    pool = scored(0.25)
    pool.begin(START + timedelta(days=1))
    assert pool.extra == 0


def test_bursty_series_raise_it_to_where_the_budget_lies() -> None:
    """The threshold found is the one that five buckets a day and thousand series pass by chance."""
    pool = scored(0.4)
    tail = pool.tail()
    assert tail is not None
    threshold = tail.threshold(BUCKET, 5)
    by_chance = 5 / (1000 * 288)  # of all scores; 0.05 * exp(-(threshold - 2) / 0.4) of them pass a threshold
    assert threshold == pytest.approx(2 + 0.4 * log(0.05 / by_chance), abs=0.4)
    pool.begin(START + timedelta(days=1))
    assert pool.extra == pytest.approx(threshold - BASE)


def test_a_smaller_budget_asks_for_more() -> None:
    """Fewer false alarms, higher threshold."""
    tail = scored(0.5).tail()
    assert tail is not None
    assert tail.threshold(BUCKET, 1) > tail.threshold(BUCKET, 5) > tail.threshold(BUCKET, 50)


def test_a_small_pool_says_nothing() -> None:
    """A few series in their first days keep what the sensitivity asks for."""
    assert scored(2.0, scores=FEWEST_SCORES - 1).tail() is None


def test_a_week_of_surges_does_not_make_it_blind() -> None:
    """The threshold rises by a limited amount, whatever the pool holds."""
    pool = scored(5.0)
    pool.begin(START + timedelta(days=1))
    assert pool.extra == MOST_EXTRA


def test_what_is_older_than_a_week_is_forgotten() -> None:
    """Eight days later the pool is empty, and its state small again."""
    pool = scored(2.0)
    pool.begin(START + timedelta(days=8, hours=1))
    assert pool.extra == 0
    assert pool.to_dict()["days"] == {}


def test_fitted_once_an_hour_and_taken_up_from_its_state() -> None:
    """Wherever it is stopped, the next fit is at the same hour with the same result."""
    pool = scored(0.6)
    assert pool.begin(START + timedelta(days=1))
    again = ScorePool(BUCKET, per_thousand=5, base=BASE, state=pool.to_dict())
    assert again.extra == pool.extra
    assert not again.begin(START + timedelta(days=1, minutes=55))
    assert again.to_dict() == pool.to_dict()


def test_volume_without_share_does_not_count() -> None:
    """What could never fire, however many there are of it, is no reason to ask the others for more."""
    pool = ScorePool(BUCKET, per_thousand=5, base=BASE)
    loud = Verdict(START, 40.0, 1.5, 0, 0, 0, 0, BUCKET, 0, BASE, is_firing=False, is_learning=False)
    for _ in range(2 * FEWEST_SCORES):
        pool.add(loud)
    tail = pool.tail()
    assert tail is not None
    assert tail.threshold(BUCKET, 5) < BASE
