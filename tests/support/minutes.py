"""Minute counts for tests of the detector, written as a worker's transaction leaves them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from sqlalchemy import Connection, text

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Minute:
    """Documents of one source and topic in one minute."""

    at: datetime
    source: str
    topic: str
    negative: int
    total: int


def usual_day(start: datetime, minutes: int, *, source: str, topic: str, seed: int = 1) -> list[Minute]:
    """About one document a minute, a fifth of them negative."""
    random = Random(f"{seed}-{source}-{topic}")
    found = []
    for nth in range(minutes):
        total = random.choice([0, 1, 1, 2])
        negative = sum(random.random() < 0.2 for _ in range(total))
        found.append(Minute(start + nth * MINUTE, source, topic, negative, total))
    return found


def surge(start: datetime, minutes: int, *, source: str, topic: str) -> list[Minute]:
    """Five documents a minute, four of them negative."""
    return [Minute(start + nth * MINUTE, source, topic, 4, 5) for nth in range(minutes)]


def add(connection: Connection, minutes: Iterable[Minute]) -> None:
    """Add to the counts."""
    connection.execute(
        text("""
            INSERT INTO opinion_minute AS m
                (bucket_at, source, kind, lang, topic_label, model_version, total, negative, neutral, positive)
            VALUES (:at, :source, 'post', 'zh', :topic, 'starter', :total, :negative, :neutral, 0)
            ON CONFLICT (bucket_at, source, kind, lang, topic_label, model_version) DO UPDATE
            SET total = m.total + excluded.total, negative = m.negative + excluded.negative,
                neutral = m.neutral + excluded.neutral
        """),
        [
            {
                "at": m.at,
                "source": m.source,
                "topic": m.topic,
                "total": m.total,
                "negative": m.negative,
                "neutral": m.total - m.negative,
            }
            for m in minutes
            if m.total
        ],
    )


def add_mentions(connection: Connection, minutes: Iterable[Minute], watchlist: str) -> None:
    """Add to the counts of a watchlist, as if all these documents mentioned it and were of the minutes' sentiment."""
    connection.execute(
        text("""
            INSERT INTO watchlist_minute AS m
                (bucket_at, watchlist, source, kind, lang, topic_label, model_version,
                 total, negative, neutral, positive)
            VALUES (:at, :watchlist, :source, 'post', 'zh', :topic, 'starter', :total, :negative, :neutral, 0)
            ON CONFLICT (bucket_at, watchlist, source, kind, lang, topic_label, model_version) DO UPDATE
            SET total = m.total + excluded.total, negative = m.negative + excluded.negative,
                neutral = m.neutral + excluded.neutral
        """),
        [
            {
                "at": m.at,
                "watchlist": watchlist,
                "source": m.source,
                "topic": m.topic,
                "total": m.total,
                "negative": m.negative,
                "neutral": m.total - m.negative,
            }
            for m in minutes
            if m.total
        ],
    )
