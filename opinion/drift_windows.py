"""Which documents a check for drift holds against which; by event time, as far as it has come."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from sqlalchemy import Connection

from storage.drift_samples import MINUTE, newest_minute, oldest_minute, voices
from storage.model_versions import Promotion

FEWEST_OF_REFERENCE: Final = 300
FEWEST_OF_CURRENT: Final = 150


class Span(NamedTuple):
    """[start, end) of `published_at`, in whole minutes."""

    start: datetime
    end: datetime


@dataclass(frozen=True)
class Windows:
    """What is read.

    Attributes:
        reference: what there was when the champion took over.
        current: the newest documents since then.
        newer, older: two spans of equal length since then, for what grows.
    """

    reference: Span
    current: Span
    newer: Span
    older: Span


def choose(connection: Connection, champion: Promotion, reference: timedelta, window: timedelta) -> Windows | str:
    """The windows, or why there is nothing to hold against each other yet.

    The reference ends when the champion took over. Where nothing was stored before, or everything stored is older
    than that (a replay of the past), its first days are the reference.
    """
    newest, oldest = newest_minute(connection), oldest_minute(connection)
    if newest is None or oldest is None:
        return "no documents are stored"
    end = newest + MINUTE
    promoted_at = champion.promoted_at.astimezone(UTC).replace(second=0, microsecond=0)
    takeover = promoted_at if promoted_at < end else oldest
    current = Span(max(end - window, takeover), end)
    before = Span(takeover - reference, takeover)
    known = voices(connection, *before)
    if known < FEWEST_OF_REFERENCE:
        start = max(takeover, oldest)  # a champion of before the first document
        current = Span(end - window, end)
        before = Span(start, max(start, min(start + reference, current.start)))
        known = voices(connection, *before)
    if known < FEWEST_OF_REFERENCE:
        return f"{known} documents are known from when {champion.version} took over, {FEWEST_OF_REFERENCE} are needed"
    new = voices(connection, *current)
    if new < FEWEST_OF_CURRENT:
        return (
            f"{new} documents are newer than what {champion.version} took over with, {FEWEST_OF_CURRENT} are needed"
        )
    length = min(window, (end - before.start) // 2 if takeover <= before.start else (end - takeover) // 2)
    length -= length % MINUTE
    return Windows(before, current, Span(end - length, end), Span(end - 2 * length, end - length))
