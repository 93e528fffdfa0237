"""Documents out of JSONL, CSV and Parquet files, row by row, in memory that does not grow with the file.

Adding a format is adding one file with a `read_rows` that yields `Row`s, and a line in `_rows`.
"""

import gzip
import zlib
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Final, cast

import msgspec

from core.errors import NotFoundError, RecordRejected, UsageError
from core.records import Document
from streams.dead_letters import RawRecord
from streams.intake import IntakeLimits, RawDocument, complete
from streams.sources import csv_rows, json_lines, parquet
from streams.sources.columns import Columns
from streams.sources.rows import Row

FORMATS: Final = (
    *(f"{name}{packed}" for name in (".jsonl", ".ndjson", ".csv", ".tsv") for packed in ("", ".gz")),
    ".parquet",
)
SHOWN_CHARS: Final = 2000


@dataclass(frozen=True)
class BadLine:
    """A line that is no document: reported, never fatal."""

    line: int
    reason: str
    content: str


@dataclass(frozen=True)
class Progress:
    """How far a file has been read, in bytes on disk."""

    read_bytes: int
    total_bytes: int


@dataclass(frozen=True)
class Reading:
    """How files are read.

    Attributes:
        encoding: of CSV files; None: found out.
        is_cleaned: title and text as the worker would store them; else as they were written, for whoever puts them
            onto the topic: the worker cleans them then, and nothing is cleaned twice.
    """

    columns: Columns = field(default_factory=Columns)
    encoding: str | None = None
    is_cleaned: bool = True


def read_documents(
    path: Path, limits: IntakeLimits, reading: Reading = Reading()
) -> Iterator[tuple[Document | BadLine, Progress]]:
    """Every row of a file as a document that the worker would accept, or as a bad line.

    A document without a time or an id of its own keeps them absent or derived, as the worker would.

    Raises:
        NotFoundError: no such file. UsageError: not a format we read, or without the columns that were named.
    """
    name = path.name.lower()
    if not name.endswith(FORMATS):
        raise UsageError(f"{path.name}: not one of {', '.join(FORMATS)}")
    if not path.is_file():
        raise NotFoundError(f"no such file: {path}")
    with path.open("rb") as on_disk:
        total = path.stat().st_size
        with _uncompressed(on_disk, is_gzip=name.endswith(".gz")) as file:
            try:
                with closing(_rows(name.removesuffix(".gz"), file, reading)) as rows:
                    for row in rows:
                        read = on_disk.tell() if row.share is None else round(row.share * total)
                        yield _document(row, limits, is_cleaned=reading.is_cleaned), Progress(read, total)
            except (OSError, EOFError, zlib.error, UnicodeError) as error:  # a damaged file ends here
                yield BadLine(0, f"the file cannot be read further: {error}", ""), Progress(total, total)


def _rows(name: str, file: IO[bytes], reading: Reading) -> Generator[Row, None, None]:
    if name.endswith(".parquet"):
        return parquet.read_rows(file, reading.columns)
    if name.endswith((".csv", ".tsv")):
        return csv_rows.read_rows(file, reading.columns, reading.encoding)
    return json_lines.read_rows(file, reading.columns)


def _document(row: Row, limits: IntakeLimits, *, is_cleaned: bool) -> Document | BadLine:
    try:
        if isinstance(row.document, RecordRejected):
            raise row.document
        return _complete(row.document, row.number, limits, is_cleaned=is_cleaned)
    except RecordRejected as rejected:
        return BadLine(row.number, rejected.detail, row.content[:SHOWN_CHARS])


def _complete(wire: RawDocument, number: int, limits: IntakeLimits, *, is_cleaned: bool) -> Document:
    document = complete(wire, RawRecord("file", 0, number, datetime.now(UTC), None, None), limits)
    has_time = wire.published_at is not None or wire.created_at is not None
    document = msgspec.structs.replace(
        document,
        published_at=document.published_at if has_time else None,
        crawled_at=document.crawled_at if wire.crawled_at is not None else None,
    )
    if is_cleaned:
        return document
    return msgspec.structs.replace(document, title=wire.title, text=wire.text or "", lang=wire.lang)


@contextmanager
def _uncompressed(on_disk: IO[bytes], *, is_gzip: bool) -> Iterator[IO[bytes]]:
    if is_gzip:
        with gzip.GzipFile(fileobj=on_disk) as unpacked:
            yield cast(IO[bytes], unpacked)
    else:
        yield on_disk
