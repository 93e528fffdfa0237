"""Rows of Parquet files, a few at a time: memory follows the largest row group, not the file."""

from collections.abc import Generator, Iterator
from typing import IO, Any, Final

from core.errors import RecordRejected
from streams.intake import RawDocument
from streams.sources.columns import Columns
from streams.sources.rows import Row

ROWS_AT_ONCE: Final = 500
CONTENT_CHARS: Final = 2000


def read_rows(file: IO[bytes], columns: Columns) -> Generator[Row, None, None]:
    """Every row; only the columns that are fields are read.

    Raises:
        UsageError: the file has not the columns that were named.
        OSError: it is damaged, or no Parquet file.
    """
    from pyarrow import ArrowException, parquet  # loading it takes a moment

    try:
        table = parquet.ParquetFile(file)
        names = table.schema_arrow.names
        columns.check(names)
        number, total = 0, table.metadata.num_rows
        for batch in table.iter_batches(batch_size=ROWS_AT_ONCE, columns=columns.needed(names)):
            for cells in _cells(batch):
                number += 1
                yield Row(number, _document(cells, columns), str(cells)[:CONTENT_CHARS], number / total)
    except ArrowException as error:
        raise OSError(str(error)) from error


def _cells(batch: Any) -> Iterator[dict[str, Any] | RecordRejected]:
    """The rows of a batch as Python values; a row that Python has no value for is a bad one."""
    import pyarrow as arrow

    fields = [
        field.with_type(arrow.timestamp("us", field.type.tz))  # Python knows no nanoseconds
        if arrow.types.is_timestamp(field.type) and field.type.unit == "ns"
        else field
        for field in batch.schema
    ]
    batch = arrow.Table.from_batches([batch]).cast(arrow.schema(fields), safe=False)
    try:
        yield from batch.to_pylist()
    except (ValueError, OverflowError):
        for index in range(batch.num_rows):
            try:
                yield from batch.slice(index, 1).to_pylist()
            except (ValueError, OverflowError) as error:
                yield RecordRejected("bad_record", str(error))


def _document(cells: dict[str, Any] | RecordRejected, columns: Columns) -> RawDocument | RecordRejected:
    if isinstance(cells, RecordRejected):
        return cells
    try:
        return columns.row_of(cells)
    except RecordRejected as rejected:
        return rejected
