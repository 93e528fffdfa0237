"""Documents out of JSONL, JSONL.gz and CSV files, line by line, in constant memory."""

import csv
import gzip
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import msgspec

from core.errors import NotFoundError, RecordRejected, UsageError
from core.records import Document, Metrics
from streams.dead_letters import RawRecord
from streams.intake import IntakeLimits, RawDocument, complete, parse

FORMATS = (".jsonl", ".ndjson", ".csv", ".jsonl.gz", ".ndjson.gz", ".csv.gz")


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


def read_documents(path: Path, limits: IntakeLimits) -> Iterator[tuple[Document | BadLine, Progress]]:
    """Every line of a file as a document that the worker would accept, or as a bad line.

    A document without a time or an id of its own keeps them absent or derived, as the worker would.

    Raises:
        NotFoundError: no such file. UsageError: not a format we read.
    """
    name = path.name.lower()
    if not name.endswith(FORMATS):
        raise UsageError(f"{path.name}: not one of {', '.join(FORMATS)}")
    if not path.is_file():
        raise NotFoundError(f"no such file: {path}")
    with path.open("rb") as on_disk:
        total = path.stat().st_size
        with _uncompressed(on_disk, is_gzip=name.endswith(".gz")) as lines:
            rows = _csv_rows(lines) if ".csv" in name else _json_rows(lines)
            try:
                for line, row, content in rows:
                    yield _document(line, row, content, limits), Progress(on_disk.tell(), total)
            except (OSError, EOFError) as error:  # a damaged gzip stream ends here
                yield BadLine(0, f"the file cannot be read further: {error}", ""), Progress(total, total)


def _document(line: int, row: RawDocument | Exception, content: str, limits: IntakeLimits) -> Document | BadLine:
    if isinstance(row, Exception):
        return BadLine(line, row.detail if isinstance(row, RecordRejected) else str(row), content[:2000])
    as_record = RawRecord("file", 0, line, datetime.now(UTC), None, None)
    try:
        document = complete(row, as_record, limits)
    except RecordRejected as rejected:
        return BadLine(line, rejected.detail, content[:2000])
    has_time = row.published_at is not None or row.created_at is not None
    return msgspec.structs.replace(
        document,
        published_at=document.published_at if has_time else None,
        crawled_at=document.crawled_at if row.crawled_at is not None else None,
    )


def _json_rows(lines: IO[bytes]) -> Iterator[tuple[int, RawDocument | Exception, str]]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        content = line.decode("utf-8", "replace").rstrip("\r\n")
        try:
            yield number, parse(line), content
        except RecordRejected as rejected:
            yield number, rejected, content


def _csv_rows(lines: IO[bytes]) -> Iterator[tuple[int, RawDocument | Exception, str]]:
    reader = csv.DictReader(io.TextIOWrapper(lines, encoding="utf-8-sig", errors="replace", newline=""))
    fields = set(RawDocument.__struct_fields__) - {"metrics"}
    for row in reader:
        present: dict[str, Any] = {name: value for name, value in row.items() if name in fields and value}
        try:
            counts = {name: int(row[name]) for name in Metrics.__struct_fields__ if row.get(name)}
            yield reader.line_num, msgspec.convert({**present, "metrics": counts}, RawDocument), str(row)
        except (ValueError, msgspec.ValidationError) as error:
            yield reader.line_num, error, str(row)


@contextmanager
def _uncompressed(on_disk: IO[bytes], *, is_gzip: bool) -> Iterator[IO[bytes]]:
    if is_gzip:
        with gzip.GzipFile(fileobj=on_disk) as unpacked:
            yield io.BufferedReader(unpacked)
    else:
        yield on_disk
