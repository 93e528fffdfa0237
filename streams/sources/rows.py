"""What every reader of a file format yields: its rows, one by one, the bad ones too."""

from dataclasses import dataclass

from core.errors import RecordRejected
from streams.intake import RawDocument


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a file.

    Attributes:
        number: its line or row, counted from 1.
        document: what it says, or why it says nothing.
        content: the row, for people.
        share: how much of the file lies before its end, 0 to 1; None where bytes read from the disk tell it.
    """

    number: int
    document: RawDocument | RecordRejected
    content: str
    share: float | None = None
