"""The buckets around a judged one: what was counted, and between which bounds it usually falls. Pure.

What is usual is read from the baseline as it stood before the judged bucket, for every bucket of the chart: level
times hour of day. So the band does not bend where the surge has begun to teach it.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from alerts.detection.intervals import predictive_interval
from alerts.detection.judgement import Judgement

SHOWN: Final = timedelta(hours=24)
FEWEST_BUCKETS: Final = 48  # of long buckets


def stretch(judgement: Judgement) -> tuple[datetime, datetime]:
    """What the chart covers: a day, or 48 longer buckets, to the end of the judged bucket."""
    bucket = judgement.options.bucket
    return judgement.ends_at - max(FEWEST_BUCKETS, SHOWN // bucket) * bucket, judgement.ends_at


def chart_series(judgement: Judgement, counts: Mapping[datetime, tuple[int, int]]) -> dict[str, Any]:
    """Columns of equal length, JSON values.

    Args:
        counts: negatives and documents by bucket of `stretch`.
    """
    bucket = judgement.options.bucket
    start, end = stretch(judgement)
    starts = [start + nth * bucket for nth in range(round((end - start) / bucket))]
    usual = judgement.baseline(bucket)
    expected = [usual.expected(at.hour) for at in starts]
    bounds = [predictive_interval(mean, usual.dispersion) for mean in expected]
    return {
        "starts_at": start.isoformat(),
        "bucket_seconds": bucket.total_seconds(),
        "negatives": [counts.get(at, (0, 0))[0] for at in starts],
        "total": [counts.get(at, (0, 0))[1] for at in starts],
        "expected": [round(mean, 2) for mean in expected],
        "lower": [lower for lower, _ in bounds],
        "upper": [upper for _, upper in bounds],
    }
