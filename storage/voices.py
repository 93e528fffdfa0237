"""How many independent voices there were over time: documents that are nobody's copy, as the detector counts them."""

from sqlalchemy import Connection, Interval, cast, func, literal, select

from storage.bucket_counts import Where, voices_where
from storage.series import Buckets


def voices(connection: Connection, buckets: Buckets, where: Where) -> list[tuple[int, int]]:
    """(negative, all) of each bucket. Reads the minute counts."""
    counted, wanted = voices_where(buckets.span.start, buckets.span.end, where)
    c = counted.c
    start = func.date_bin(cast(literal(buckets.step), Interval), c.bucket_at, literal(buckets.starts[0])).label(
        "start"
    )
    sums = (func.sum(c.negative - c.negative_copies), func.sum(c.total - c.copies))
    found = {
        at: (int(x), int(n)) for at, x, n in connection.execute(select(start, *sums).where(*wanted).group_by(start))
    }
    return [found.get(at, (0, 0)) for at in buckets.starts]
