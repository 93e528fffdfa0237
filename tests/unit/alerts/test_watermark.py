"""How far event time may be trusted."""

from datetime import UTC, datetime, timedelta

from alerts.detection.watermark import (
    MOST_SIGHTINGS,
    SETTLE,
    PartitionStanding,
    Sighting,
    WatermarkLog,
    closed_until,
    settled_until,
)
from core.windows import EPOCH

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def test_drained_partitions_are_settled_until_now() -> None:
    """With no lag anywhere only the settling time is kept back."""
    partitions = [PartitionStanding(0, 10, 10, NOW - 60 * SECOND), PartitionStanding(0, 0, None, None)]
    assert settled_until(NOW, partitions) == NOW - SETTLE


def test_a_lagging_partition_holds_everything_back_to_its_last_record() -> None:
    """The slowest worker decides."""
    partitions = [PartitionStanding(0, 10, 10, NOW), PartitionStanding(0, 10, 4, NOW - 60 * SECOND)]
    assert settled_until(NOW, partitions) == NOW - 60 * SECOND - SETTLE


def test_a_partition_nobody_has_begun_says_nothing() -> None:
    """Records wait there that nobody has seen: no statement."""
    assert settled_until(NOW, [PartitionStanding(0, 10, None, None)]) is None


def test_records_that_retention_removed_are_not_waited_for() -> None:
    """A log whose start has passed the last settled offset is drained when it is empty."""
    assert settled_until(NOW, [PartitionStanding(10, 10, 4, NOW - 60 * SECOND)]) == NOW - SETTLE


def test_a_sighting_counts_only_once_all_before_it_is_settled() -> None:
    """What was seen during a backlog is used after the backlog of that moment is done."""
    log = WatermarkLog()
    early, late = Sighting(NOW, {"weibo": NOW}), Sighting(NOW + 10 * SECOND, {"weibo": NOW + 10 * SECOND})
    log.add(early)
    log.add(late)
    assert log.trusted(None) is None
    assert log.trusted(NOW - SECOND) is None
    assert log.trusted(NOW + SECOND) == early
    assert log.trusted(NOW - SECOND) == early
    assert log.trusted(NOW + 10 * SECOND) == late


def test_sightings_are_bounded_and_the_newest_is_kept() -> None:
    """A backlog of hours does not grow the list."""
    log = WatermarkLog()
    for nth in range(10 * MOST_SIGHTINGS):
        log.add(Sighting(NOW + nth * SECOND, {}))
    assert len(log._waiting) <= MOST_SIGHTINGS
    newest = log.trusted(NOW + timedelta(days=1))
    assert newest is not None
    assert newest.seen_at == NOW + (10 * MOST_SIGHTINGS - 1) * SECOND


def test_a_bucket_closes_after_its_lateness() -> None:
    """Noon's bucket is complete when the watermark has passed its end by the lateness, not before."""
    bucket, lateness = timedelta(minutes=5), timedelta(minutes=2)
    end = NOW + bucket
    assert closed_until(end + lateness - SECOND, lateness, bucket, EPOCH) == NOW
    assert closed_until(end + lateness, lateness, bucket, EPOCH) == end
