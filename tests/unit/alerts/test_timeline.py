"""Buckets in order, zeros and gaps."""

from datetime import UTC, datetime, timedelta

import pytest

from alerts.detection.detectors import DetectorOptions
from alerts.detection.timeline import GAP_BUCKETS, SeriesTimeline, walk
from storage.sources import Silence

START = datetime(2026, 3, 10, tzinfo=UTC)
BUCKET = timedelta(minutes=5)


def at(*buckets: int) -> list[datetime]:
    return [START + nth * BUCKET for nth in buckets]


def test_short_silences_are_true_zeros() -> None:
    """Every bucket between two active ones is judged."""
    assert [step for step, _ in walk(at(0, 3), BUCKET, after=None)] == at(0, 1, 2, 3)


def test_long_silences_are_unknown_and_skipped() -> None:
    """A day without any document is nobody listening: jumped over, and marked."""
    far = GAP_BUCKETS + 1
    assert list(walk(at(0, far, far + 1), BUCKET, after=None)) == [
        (at(0)[0], False),
        (at(far)[0], True),
        (at(far + 1)[0], False),
    ]


def test_years_between_files_cost_nothing() -> None:
    """Files of different years in one system are walked in as many steps as they have buckets."""
    assert len(list(walk([START, START + timedelta(days=4000)], BUCKET, after=None))) == 2


def test_walking_goes_on_after_what_was_walked_before() -> None:
    """With the last active bucket known, zeros continue from there."""
    assert [step for step, _ in walk(at(5), BUCKET, after=at(3)[0])] == at(4, 5)


def test_a_gap_ends_an_open_episode() -> None:
    """Nobody knows how a surge went on before a gap, so it ended where it was last seen."""
    timeline = SeriesTimeline(DetectorOptions(learning_buckets=1))
    nth = 0
    for _ in range(2000):
        timeline.advance(START + nth * BUCKET, nth % 5 == 0, 5)
        nth += 1
    for _ in range(3):
        timeline.advance(START + nth * BUCKET, 20, 22)
        nth += 1
    assert timeline.episodes[-1].status == "firing"
    timeline.advance(START + timedelta(days=90), 0, 5, is_after_gap=True)
    assert timeline.episodes[-1].ends_at == START + nth * BUCKET


@pytest.mark.parametrize(
    ("silence", "is_gap"),
    [
        (Silence(at(0)[0] + BUCKET / 2, None), True),
        (Silence(at(0)[0] + BUCKET / 2, at(6)[0]), True),
        (Silence(at(0)[0] - 9 * BUCKET, at(0)[0]), False),
        (Silence(at(6)[0], None), False),
        (Silence(at(3)[0], at(4)[0]), False),
    ],
)
def test_empty_buckets_of_a_silent_source_are_unknown(silence: Silence, is_gap: bool) -> None:
    """They are left out where a known silence covers them, and true zeros otherwise."""
    found = list(walk(at(0, 6), BUCKET, after=None, silences=[silence]))
    assert ((at(6)[0], True) in found) is is_gap
    assert len(found) == (2 if is_gap else 7)


def test_a_source_that_works_has_no_gaps_in_a_silence_of_others() -> None:
    """Active buckets side by side are taken as they are, whatever was noted."""
    assert all(not gap for _, gap in walk(at(0, 1, 2), BUCKET, after=None, silences=[Silence(at(0)[0], None)]))
