"""The minute counts that the detector and every chart read: always equal to the rows of `document`."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple, Protocol, TypeVar

from sqlalchemy import Connection, text

from core.windows import MINUTE, floor_to


class Counted(Protocol):
    """What of a document is counted."""

    @property
    def published_at(self) -> datetime: ...
    @property
    def source(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def lang(self) -> str: ...
    @property
    def topic_label(self) -> str: ...
    @property
    def model_version(self) -> str: ...
    @property
    def sentiment(self) -> str: ...


Version_co = TypeVar("Version_co", covariant=True)


class Standing(Protocol[Version_co]):
    """Whether a document was a copy before the transaction, and is one after it; see `storage.copies`."""

    @property
    def before(self) -> Version_co | None: ...
    @property
    def after(self) -> Version_co | None: ...
    @property
    def was_copy(self) -> bool: ...
    @property
    def is_copy(self) -> bool: ...


class MinuteKey(NamedTuple):
    """The primary key of `opinion_minute`."""

    bucket_at: datetime
    source: str
    kind: str
    lang: str
    topic_label: str
    model_version: str


SENTIMENTS = ("negative", "neutral", "positive")
COPIES = ("negative_copies", "neutral_copies", "positive_copies")


class CountChanges:
    """What a batch adds to and takes from the minute counts."""

    def __init__(self) -> None:
        self._by_key: defaultdict[MinuteKey, dict[str, int]] = defaultdict(
            lambda: dict.fromkeys((*SENTIMENTS, *COPIES), 0)
        )

    def add(self, row: Counted, times: int = 1) -> None:
        """Count a document that came."""
        self._by_key[_key(row)][row.sentiment] += times

    def remove(self, row: Counted) -> None:
        """Uncount a version that was replaced."""
        self.add(row, -1)

    def move_copies(self, standings: Iterable[Standing[Counted]]) -> None:
        """Count among the copies those that are copies now, and no longer those that were."""
        for standing in standings:
            if standing.was_copy and standing.before is not None:
                self._by_key[_key(standing.before)][f"{standing.before.sentiment}_copies"] -= 1
            if standing.is_copy and standing.after is not None:
                self._by_key[_key(standing.after)][f"{standing.after.sentiment}_copies"] += 1

    def in_lock_order(self) -> list[tuple[MinuteKey, dict[str, int]]]:
        """The changes that are not zero, in the one order in which every writer takes its locks."""
        return [(key, change) for key, change in sorted(self._by_key.items()) if any(change.values())]


def _key(row: Counted) -> MinuteKey:
    return MinuteKey(
        floor_to(row.published_at, MINUTE), row.source, row.kind, row.lang, row.topic_label, row.model_version
    )


_UPSERT = text("""
    INSERT INTO opinion_minute AS m
        (bucket_at, source, kind, lang, topic_label, model_version, total, negative, neutral, positive,
         copies, negative_copies, neutral_copies, positive_copies)
    SELECT bucket_at, source, kind, lang, topic_label, model_version,
           negative + neutral + positive, negative, neutral, positive,
           negative_copies + neutral_copies + positive_copies, negative_copies, neutral_copies, positive_copies
    FROM unnest(CAST(:bucket_at AS timestamptz[]), CAST(:source AS text[]), CAST(:kind AS text[]),
                CAST(:lang AS text[]), CAST(:topic_label AS text[]), CAST(:model_version AS text[]),
                CAST(:negative AS int[]), CAST(:neutral AS int[]), CAST(:positive AS int[]),
                CAST(:negative_copies AS int[]), CAST(:neutral_copies AS int[]), CAST(:positive_copies AS int[]))
         WITH ORDINALITY
         AS c(bucket_at, source, kind, lang, topic_label, model_version, negative, neutral, positive,
              negative_copies, neutral_copies, positive_copies, nth)
    ORDER BY nth
    ON CONFLICT (bucket_at, source, kind, lang, topic_label, model_version) DO UPDATE SET
        total = m.total + excluded.total,
        negative = m.negative + excluded.negative,
        neutral = m.neutral + excluded.neutral,
        positive = m.positive + excluded.positive,
        copies = m.copies + excluded.copies,
        negative_copies = m.negative_copies + excluded.negative_copies,
        neutral_copies = m.neutral_copies + excluded.neutral_copies,
        positive_copies = m.positive_copies + excluded.positive_copies
""")


def apply_changes(connection: Connection, changes: CountChanges) -> None:
    """Move the counts, in the caller's transaction."""
    ordered = changes.in_lock_order()
    if not ordered:
        return
    keys = zip(*(key for key, _ in ordered), strict=True)
    columns = dict(zip(MinuteKey._fields, (list(values) for values in keys), strict=True))
    counts = {name: [change[name] for _, change in ordered] for name in (*SENTIMENTS, *COPIES)}
    connection.execute(_UPSERT, {**columns, **counts})
