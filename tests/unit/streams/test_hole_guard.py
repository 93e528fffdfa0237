import pytest

from streams.hole_guard import HoleGuard, SkippedOffsetsError
from tests.support.records import raw


def records(*offsets, partition=0):
    return [raw(b"x", offset=offset, partition=partition) for offset in offsets]


def test_first_record_after_the_groups_offset_is_a_hole():
    """A fresh assignment that starts above the committed offset is noticed before anything is acknowledged."""
    with pytest.raises(SkippedOffsetsError, match="partition 0: offset 7"):
        HoleGuard(lambda partition: 5).check(records(7))


def test_jump_inside_a_partition_is_a_hole():
    """Records skipped in the middle of the stream are noticed."""
    guard = HoleGuard(lambda partition: 0)
    guard.check(records(0, 1))
    with pytest.raises(SkippedOffsetsError):
        guard.check(records(3))


def test_partition_that_comes_back_further_on_is_no_hole():
    """What another worker settled and committed meanwhile is not missing."""
    committed = {0: 0}
    guard = HoleGuard(lambda partition: committed[partition])
    guard.check(records(0, 1))
    committed[0] = 50
    guard.check(records(50, 51))


def test_redelivery_is_no_hole():
    """Offsets seen before may come again."""
    guard = HoleGuard(lambda partition: 0)
    guard.check(records(0, 1, 2))
    guard.check(records(1, 2, 3))


def test_partitions_are_followed_apart():
    """Interleaved partitions do not look like jumps."""
    guard = HoleGuard(lambda partition: 0)
    guard.check([*records(0), *records(0, partition=1), *records(1), *records(1, partition=1)])
