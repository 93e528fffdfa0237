"""`opinion detect --series`: any series of numbers."""

from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from alerts.detection.volume import VolumeDetector

START = datetime(2026, 3, 1, tzinfo=UTC)


def scores(values: list[float], step: timedelta = timedelta(minutes=5)) -> list[float]:
    detector = VolumeDetector()
    return [detector.observe(START + nth * step, value) for nth, value in enumerate(values)]


def usual(rows: int) -> list[float]:
    random = Random(1)
    return [float(random.randint(20, 40)) for _ in range(rows)]


@pytest.mark.parametrize("step", [timedelta(seconds=10), timedelta(minutes=5), timedelta(hours=1), timedelta(days=1)])
def test_a_spike_passes_one_half_and_usual_rows_do_not(step: timedelta) -> None:
    """The shipped threshold is 0.5, at any sampling step."""
    found = scores([*usual(800), 900.0, 900.0], step)
    assert max(found[:800]) < 0.5
    assert found[800] >= 0.5
    assert all(0 <= score <= 1 for score in found)


def test_for_a_day_only_a_higher_score_alarms_again() -> None:
    """A plateau alarms while it grows more surprising, not at every row until it has passed."""
    found = scores([*usual(800), 900.0, *[500.0] * 100])
    assert sum(score >= 0.5 for score in found[800:820]) > 0
    assert all(score < 0.5 for score in found[820:])


def test_rows_see_only_the_rows_before_them() -> None:
    """Cutting the file short does not change the scores of what is left."""
    values = [*usual(500), 900.0, *usual(100)]
    assert scores(values)[:400] == scores(values[:400])


def test_odd_rows_are_taken_as_they_come() -> None:
    """Gaps, repeats, backward times, fractions, negatives and what is no number neither stop nor alarm."""
    detector = VolumeDetector()
    at, found = START, []
    random = Random(2)
    for nth in range(2000):
        at += timedelta(minutes=random.choice([5, 5, 5, 0, -5, 30, 3000]))
        value = float("nan") if nth % 97 == 0 else random.gauss(1.0, 0.5)
        found.append(detector.observe(at, value))
    assert all(0 <= score < 0.5 for score in found)
