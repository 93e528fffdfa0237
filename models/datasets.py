"""Labelled text files (`*.jsonl`, `*.jsonl.gz`) as plain rows."""

import gzip
import json
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import msgspec

from core.errors import LabelSetError, NotFoundError, UsageError
from core.taxonomy import CLASSES, HEADS, Head


@dataclass(frozen=True, slots=True)
class LabelledText:
    """One text and what people said about it.

    Attributes:
        topic, sentiment: a class of `core.taxonomy`, or None when this head was not labelled.
        absent: classes that this row's source never answers with. They are masked in the loss, because the lack
            of a neutral answer in a set of reviews does not say that reviews are never neutral.
        watchlists: the names of those that watch this text, where somebody looked; the gate judges by them.
    """

    text: str
    topic: str | None = None
    sentiment: str | None = None
    lang: str | None = None
    source: str = "unknown"
    absent: tuple[str, ...] = ()
    watchlists: tuple[str, ...] = ()

    def label(self, head: Head) -> str | None:
        """The answer for one head."""
        return self.topic if head == "topic" else self.sentiment


class _Line(msgspec.Struct):
    text: str
    topic: str | None = None
    sentiment: str | None = None
    lang: str | None = None
    source: str | None = None


_decoder = msgspec.json.Decoder(_Line)


def _decode(line: bytes) -> _Line:
    try:
        return _decoder.decode(line)
    except msgspec.DecodeError as error:
        if b"NaN" not in line:
            raise
        try:  # pandas writes NaN, which is no JSON, but Python's own reader takes it
            return msgspec.convert(json.loads(line), _Line)
        except json.JSONDecodeError:
            raise error from None


def read_labelled(path: Path, *, absent: tuple[str, ...] = (), unlabelled: bool = False) -> list[LabelledText]:
    """Every row that carries a label for at least one head, in file order.

    Args:
        absent: given to every row, see `LabelledText`.
        unlabelled: the rows without a label in their place.

    Raises:
        NotFoundError: no such file.
        UsageError: a line is not a JSON object with a `text`; the message names file and line.
        LabelSetError: a label that `core.taxonomy` does not know; the message names file and line.
    """
    rows = []
    with open_text(path) as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                row = _decode(line)
            except (msgspec.MsgspecError, ValueError) as error:
                raise UsageError(f"{path}:{number}: {error}") from error
            labelled = LabelledText(
                row.text, row.topic, row.sentiment, row.lang, row.source or source_name(path), absent
            )
            for head in HEADS:
                answer = labelled.label(head)
                if answer is not None and answer not in CLASSES[head]:
                    raise LabelSetError(
                        f"{path}:{number}: {answer!r} is no {head}",
                        remedy=f"known classes: {', '.join(CLASSES[head])}",
                    )
            if unlabelled == (labelled.topic is None and labelled.sentiment is None):
                rows.append(labelled)
    return rows


def open_text(path: Path) -> IO[bytes]:
    """A JSON Lines file, opened for reading bytes; `.gz` is unpacked on the way.

    Raises:
        NotFoundError: no such file.
    """
    if not path.is_file():
        raise NotFoundError(f"there is no file {path}")
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")  # type: ignore[return-value]


def source_name(path: Path) -> str:
    """`tnews` for `tnews.test.jsonl.gz`: how cards and tables call a file."""
    return path.name.split(".", 1)[0]
