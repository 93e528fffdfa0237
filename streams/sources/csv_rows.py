"""Rows of CSV and TSV: encoding and delimiter found out, damage reported row by row."""

import csv
import io
import re
from collections.abc import Generator, Iterator
from typing import IO, Final, cast

from core.errors import RecordRejected, UsageError
from streams.intake import RawDocument
from streams.sources.columns import Columns
from streams.sources.rows import Row

DELIMITERS: Final = ",\t;|"
PEEKED_BYTES: Final = 1_000_000
MAX_CELL_CHARS: Final = 10_000_000  # a quote that is never closed would else take in the whole file
_BOMS: Final = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_UNDECODED: Final = re.compile(r"[\udc80-\udcff]")


def read_rows(lines: IO[bytes], columns: Columns, encoding: str | None = None) -> Generator[Row, None, None]:
    """Every row under the header.

    Args:
        encoding: None: by the byte order mark, else UTF-8 if that fits, else GB18030.

    Raises:
        UsageError: the header has not the columns that were named, or there is no such encoding.
    """
    buffered = io.BufferedReader(cast(io.RawIOBase, lines), PEEKED_BYTES)  # every binary file will do
    head = buffered.peek(PEEKED_BYTES)
    try:
        text = io.TextIOWrapper(buffered, encoding or guess_encoding(head), errors="surrogateescape", newline="")
    except LookupError:
        raise UsageError(f"--encoding: there is no encoding {encoding!r}", remedy="for example gb18030") from None
    try:
        yield from _rows(text, columns)
    finally:  # else they would close the file that belongs to the caller
        text.detach()
        buffered.detach()


def _rows(text: io.TextIOWrapper, columns: Columns) -> Iterator[Row]:
    csv.field_size_limit(MAX_CELL_CHARS)
    first = text.readline(PEEKED_BYTES)
    header = next(csv.reader([first], delimiter=_delimiter(first)), [])
    columns.check(header)
    pieces = iter(lambda: text.readline(MAX_CELL_CHARS), "")  # of any file, however long its lines
    reader = csv.reader(pieces, delimiter=_delimiter(first))
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            yield Row(reader.line_num + 1, RecordRejected("bad_record", str(error)), "")
            continue
        if cells is None:
            return
        if any(cells):
            content = ",".join(cells)
            yield Row(reader.line_num + 1, _document(header, cells, content, columns), content)


def guess_encoding(head: bytes) -> str:
    """Of a file that begins so."""
    for mark, name in _BOMS:
        if head.startswith(mark):
            return name
    whole_lines = head[: head.rfind(b"\n") + 1] or head
    for name in ("utf-8", "gb18030"):
        try:
            whole_lines.decode(name)
        except UnicodeDecodeError:
            continue
        return name
    return "utf-8"


def _delimiter(header: str) -> str:
    """That which cuts the header into most names. `csv.Sniffer` also guesses from words, and wrongly."""
    return max(DELIMITERS, key=lambda one: len(next(csv.reader([header], delimiter=one), [])))


def _document(header: list[str], cells: list[str], content: str, columns: Columns) -> RawDocument | RecordRejected:
    if _UNDECODED.search(content):
        return RecordRejected("bad_encoding", "not in the encoding that the file begins with; see --encoding")
    if any(cells[len(header) :]):
        return RecordRejected("bad_record", f"{len(cells)} cells under {len(header)} columns")
    try:
        return columns.row_of(dict(zip(header, cells, strict=False)))
    except RecordRejected as rejected:
        return rejected
