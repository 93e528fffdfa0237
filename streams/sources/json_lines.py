"""Rows of JSON Lines: one object a line, UTF-8."""

from collections.abc import Generator, Iterator
from itertools import chain, islice
from typing import IO, Any

from core.errors import RecordRejected
from streams.intake import RawDocument, parse
from streams.json_values import parse_json
from streams.sources.columns import Columns
from streams.sources.rows import Row

MAX_LINE_BYTES = 16_000_000  # what has no line breaks is read in pieces so long, and each piece is a bad line
SHOWN_BYTES = 8000
PEEKED_LINES = 200  # a column that none of the first so many lines has is a misspelt one


def read_rows(lines: IO[bytes], columns: Columns) -> Generator[Row, None, None]:
    """Every line that is not blank.

    Raises:
        UsageError: a column that was named does not occur.
    """
    numbered: Iterator[tuple[int, bytes]] = enumerate(iter(lambda: lines.readline(MAX_LINE_BYTES), b""), start=1)
    if not columns.is_plain:
        head = list(islice(numbered, PEEKED_LINES))
        _check(head, columns)
        numbered = chain(head, numbered)
    for number, line in numbered:
        if line.strip():
            yield Row(number, _document(line, columns), line[:SHOWN_BYTES].decode("utf-8", "replace").rstrip("\r\n"))


def _document(line: bytes, columns: Columns) -> RawDocument | RecordRejected:
    if len(line) >= MAX_LINE_BYTES:
        return RecordRejected("too_large", f"no line break within {MAX_LINE_BYTES} bytes")
    try:
        return parse(line) if columns.is_plain else columns.row_of(parse_json(line, dict[str, Any]))
    except RecordRejected as rejected:
        return rejected


def _check(head: list[tuple[int, bytes]], columns: Columns) -> None:
    names: dict[str, None] = {}
    for _, line in head:
        try:
            names |= dict.fromkeys(parse_json(line, dict[str, Any]))
        except RecordRejected:
            continue
    if names:
        columns.check(names)
