"""Event-time arithmetic: minutes, buckets, and where a bucket begins."""

from datetime import UTC, datetime, timedelta

MINUTE = timedelta(minutes=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def floor_to(at: datetime, step: timedelta) -> datetime:
    """The start, in UTC, of the `step`-long bucket that holds `at` (aware); buckets are counted from the epoch."""
    return EPOCH + (at - EPOCH) // step * step
