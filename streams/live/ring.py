"""The newest records of a topic, shared by all readers: each keeps a number, nobody a queue."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from core import cursors

COMPACT_AFTER: Final = 1024


@dataclass(frozen=True, slots=True)
class Entry:
    """One record, or a gap (`partition` -1), as it goes out.

    Attributes:
        value: the decoded record, for filters; None for a gap, which is for everybody.
        cursor: where a reader stands that has had everything up to here.
        body: the event without its id.
        added_at: seconds of a monotonic clock.
    """

    partition: int
    offset: int
    value: Any
    cursor: str
    body: bytes
    added_at: float

    @property
    def size(self) -> int:
        return len(self.body) + len(self.cursor)


class Ring:
    """Entries have numbers that count up; those from `first` to before `end` are held.

    Attributes:
        positions: the next offset by partition, after all that was read.
        start: the next offset by partition of a reader that needs every entry that is held and nothing before.
    """

    def __init__(self, topic: str, *, most_records: int, most_bytes: int, most_seconds: float) -> None:
        self._topic = topic
        self._most_records, self._most_bytes, self._most_seconds = most_records, most_bytes, most_seconds
        self._entries: list[Entry] = []
        self._dropped = 0  # at the head of `_entries`, not yet taken out of it
        self._bytes = 0
        self._numbers: list[bytes] = []
        self.positions: list[int] = []
        self.start: list[int] = []
        self.first = 0

    @property
    def end(self) -> int:
        return self.first + len(self._entries) - self._dropped

    @property
    def cursor(self) -> str:
        """Where a reader stands that has had everything."""
        return cursors.sealed(self._topic, self._numbers)

    def place(self, positions: Sequence[int]) -> None:
        """Begin, or go on, at these offsets of the same partitions. What is held stays: the caller says by a gap what
        was left out."""
        self.positions = list(positions)
        self._numbers = [cursors.number(position) for position in positions]
        if self.end == self.first:
            self.start = list(positions)

    def passed(self, partition: int, offset: int) -> None:
        """This record was read."""
        self.positions[partition] = offset + 1
        self._numbers[partition] = cursors.number(offset + 1)
        if self.end == self.first:
            self.start[partition] = offset + 1

    def add(self, partition: int, offset: int, value: Any, body: bytes, now: float) -> None:
        """Hold a record that `passed` was just called for, or a gap."""
        entry = Entry(partition, offset, value, self.cursor, body, now)
        if self.end == self.first and partition >= 0:
            self.start[partition] = offset
        self._entries.append(entry)
        self._bytes += entry.size

    def trim(self, now: float) -> None:
        """Let go of what is too much or too old."""
        while self.end > self.first and self._is_over(self._entries[self._dropped], now):
            entry = self._entries[self._dropped]
            self._dropped += 1
            self.first += 1
            self._bytes -= entry.size
            if entry.partition >= 0:
                self.start[entry.partition] = entry.offset + 1
        if self.end == self.first:
            self.start = list(self.positions)
        if self._dropped > COMPACT_AFTER and self._dropped * 2 > len(self._entries):
            del self._entries[: self._dropped]
            self._dropped = 0

    def covers(self, offsets: Sequence[int]) -> bool:
        """Whether a reader that goes on at these offsets finds here all that it lacks."""
        return all(mine >= start for mine, start in zip(offsets, self.start, strict=True))

    def after(self, number: int, most: int) -> list[Entry]:
        """Up to so many entries from this number on, which must not be below `first`."""
        place = self._dropped + number - self.first
        return self._entries[place : place + most]

    def _is_over(self, entry: Entry, now: float) -> bool:
        return (
            self.end - self.first > self._most_records
            or self._bytes > self._most_bytes
            or now - entry.added_at > self._most_seconds
        )
