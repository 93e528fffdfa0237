"""What the console asks of the broker; `opinion.operating` answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

LetterTopic = Literal["raw", "label"]
"""Whose dead letters: of documents or of labels."""


@dataclass(frozen=True, slots=True)
class PartitionBacklog:
    """One partition: where its log ends, the next offset the group reads, and how many records lie between."""

    partition: int
    end: int
    next_offset: int
    lag: int


@dataclass(frozen=True, slots=True)
class Backlog:
    """How far the workers are behind."""

    topic: str
    group: str
    partitions: list[PartitionBacklog]

    @property
    def records(self) -> int:
        return sum(one.lag for one in self.partitions)


@dataclass(frozen=True, slots=True)
class LetterLine:
    """A dead letter in short; `id` is `partition:offset`, `origin` where the record came from."""

    id: str
    dead_lettered_at: datetime
    reason: str
    origin: str
    detail: str
    is_redriven: bool


@dataclass(frozen=True, slots=True)
class Letters:
    """The newest dead letters.

    Attributes:
        lines: newest first.
        examined: how many of the newest were looked at for `reasons`.
        total: how many the topic holds.
    """

    lines: list[LetterLine]
    reasons: Mapping[str, int]
    examined: int
    total: int


@dataclass(frozen=True, slots=True)
class Letter:
    """One dead letter; key, headers and value escaped to printable ASCII, the value cut."""

    line: LetterLine
    key: str | None
    headers: Sequence[tuple[str, str]]
    length: int
    value: str


@dataclass(frozen=True, slots=True)
class Redrive:
    """What putting back came to; `objection` is why the first of the refused was refused."""

    sent: int
    already: int
    refused: int
    objection: str


class Operations(Protocol):
    """Lag and dead letters. Every method blocks, and may raise `core.errors.OpinionError`."""

    def backlog(self) -> Backlog:
        """Of the raw topic and the workers' group, some seconds old at most."""

    def letters(self, topic: LetterTopic, reason: str | None) -> Letters:
        """The newest ones, of one reason if it is given."""

    def letter(self, topic: LetterTopic, letter_id: str) -> Letter:
        """One of them."""

    def redrive(self, topic: LetterTopic, *, only: str | None, reason: str | None, most: int) -> Redrive:
        """Put back one letter, or all of a reason, or all; `most` of them."""
