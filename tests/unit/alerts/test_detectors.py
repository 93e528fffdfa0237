"""The detector of one series."""

from datetime import UTC, datetime, timedelta
from math import log10
from random import Random

import pytest

from alerts.detection.detectors import BUSY, MOST_RELIEF, RELIEF, DetectorOptions, SpikeDetector, Verdict

START = datetime(2026, 3, 1, tzinfo=UTC)
BUCKET = timedelta(minutes=5)
OPTIONS = DetectorOptions()
DAY = 288


def quiet(buckets: int, seed: int = 1) -> list[tuple[int, int]]:
    """About five documents a bucket, a fifth of them negative."""
    random = Random(seed)
    counts = []
    for _ in range(buckets):
        total = sum(random.random() < 0.25 for _ in range(20))
        counts.append((sum(random.random() < 0.2 for _ in range(total)), total))
    return counts


def run(detector: SpikeDetector, counts: list[tuple[int, int]], start: int = 0) -> list[Verdict]:
    return [detector.observe(START + (start + i) * BUCKET, x, n) for i, (x, n) in enumerate(counts)]


def test_a_surge_of_negatives_fires_within_half_an_hour() -> None:
    """Eight times the usual negatives are found while they are still news."""
    verdicts = run(SpikeDetector(OPTIONS), quiet(8 * DAY) + [(8, 12)] * 6)
    assert not any(v.is_firing for v in verdicts[: 8 * DAY])
    assert any(v.is_firing for v in verdicts[8 * DAY :])


def test_more_of_everything_is_attention_and_does_not_fire() -> None:
    """Ten times the volume with the usual share of negatives stays silent."""
    verdicts = run(SpikeDetector(OPTIONS), quiet(8 * DAY) + [(10, 50)] * 24)
    assert verdicts[-20].score_count > 4
    assert not any(v.is_firing for v in verdicts)


def test_an_overwhelming_count_fires_where_most_is_negative_anyway() -> None:
    """A complaint board, two thirds negative, still alarms when complaints multiply."""
    usual = [(2, 3), (1, 2), (0, 0), (2, 3)] * (2 * DAY)
    verdicts = run(SpikeDetector(OPTIONS), usual + [(30, 45)] * 12)
    assert not any(v.is_firing for v in verdicts[: len(usual)])
    assert any(v.is_firing for v in verdicts[len(usual) :])


def test_nothing_fires_while_learning() -> None:
    """A series that begins with a surge has no past to compare with."""
    verdicts = run(SpikeDetector(OPTIONS), [(20, 25)] * 12 + quiet(100))
    assert all(v.is_learning and not v.is_firing for v in verdicts)


def test_few_negatives_never_fire() -> None:
    """Below the minimum of negatives an hour nothing is worth a message, however unusual."""
    silent = [(0, 1), (0, 0)] * (4 * DAY)
    verdicts = run(SpikeDetector(OPTIONS), [*silent, (4, 4)])
    assert verdicts[-1].score > verdicts[-1].threshold
    assert not verdicts[-1].is_firing


def test_a_surge_does_not_teach_that_surges_are_usual() -> None:
    """Four hours at thirty a bucket leave the four-hour expectation far nearer to the usual one."""
    detector = SpikeDetector(OPTIONS)
    run(detector, quiet(8 * DAY))
    hour = (START + 8 * DAY * BUCKET).hour
    run(detector, [(30, 35)] * 48, start=8 * DAY)
    assert detector.learned.counts[-1].expected(hour) < 48 * 10


@pytest.mark.parametrize("cut", [5, 300, 2000])
def test_a_restored_detector_goes_on_as_if_nothing_had_happened(cut: int) -> None:
    """State out and in again gives the same verdicts to the last digit."""
    counts = quiet(2200, seed=3) + [(9, 12)] * 8
    whole = run(SpikeDetector(OPTIONS), counts)
    first = SpikeDetector(OPTIONS)
    run(first, counts[:cut])
    second = SpikeDetector(OPTIONS, first.to_dict())
    assert run(second, counts[cut:], start=cut) == whole[cut:]


def test_state_does_not_grow() -> None:
    """A week or a month of buckets, the state has the same shape."""
    detector = SpikeDetector(OPTIONS)
    run(detector, quiet(300))
    early = detector.to_dict()
    run(detector, quiet(3000), start=300)
    late = detector.to_dict()
    assert len(early["recent"]) == len(late["recent"]) == 48
    assert [len(c["season"]) for c in late["counts"]] == [24] * 5


def test_the_short_way_through_silence_gives_the_same_scores() -> None:
    """After hours of true zeros a surge is judged as if every bucket had been computed in full."""
    quick = SpikeDetector(OPTIONS)
    run(quick, quiet(8 * DAY) + [(0, 0)] * 100)
    slow = SpikeDetector(OPTIONS)
    slow._keep = 10_000  # never takes the short way
    run(slow, quiet(8 * DAY) + [(0, 0)] * 100)
    surge = [(8, 12)] * 3
    fast, full = (run(d, surge, start=8 * DAY + 100)[-1] for d in (quick, slow))
    assert fast.score == pytest.approx(full.score)


def test_high_sensitivity_fires_where_low_does_not() -> None:
    """The named sensitivities order the thresholds."""
    counts = quiet(8 * DAY)
    thresholds = [
        run(SpikeDetector(DetectorOptions(sensitivity=level)), counts)[-1].threshold
        for level in ("high", "medium", "low")
    ]
    assert thresholds == sorted(thresholds)
    assert len(set(thresholds)) == 3


def test_half_lives_are_durations() -> None:
    """A day of hourly buckets weighs as much as a day of five-minute buckets."""
    hourly, fine = DetectorOptions(bucket=timedelta(hours=1)), DetectorOptions()
    assert fine.windows == (3, 6, 12, 24, 48)
    assert hourly.windows == (1, 2, 4, 8, 16)
    assert DetectorOptions(bucket=timedelta(days=1)).windows == (1, 2, 4)
    assert (fine.learning, hourly.learning, DetectorOptions(bucket=timedelta(days=1)).learning) == (144, 14, 14)


def test_a_quiet_series_needs_less_and_a_busy_one_does_not() -> None:
    """With documents in few buckets chance has fewer occasions, so the threshold is lower, within bounds."""
    busy = run(SpikeDetector(OPTIONS), [(1, 5)] * 600)[-1]
    quiet_ = run(SpikeDetector(OPTIONS), [(0, 1), *[(0, 0)] * 9] * 60)[-1]
    silent = run(SpikeDetector(OPTIONS), [(0, 1), *[(0, 0)] * 299] * 3)[-1]
    assert quiet_.threshold == pytest.approx(busy.threshold - RELIEF * log10(BUSY / 0.1), abs=0.02)
    assert silent.threshold == busy.threshold - MOST_RELIEF


def test_the_usual_share_of_a_busy_series_follows_within_a_day() -> None:
    """A thousand documents tell the usual share; older ones do not hold it back."""
    detector = SpikeDetector(OPTIONS)
    run(detector, [(10, 50)] * (7 * DAY))
    run(detector, [(20, 50)] * DAY, start=7 * DAY)
    assert detector.learned.share.share == pytest.approx(0.4, abs=0.03)
