"""Foreign tables as documents: columns, encodings, delimiters, Parquet."""

import csv
import tracemalloc
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from core.errors import UsageError
from core.records import Document
from streams.sources.columns import Columns
from streams.sources.files import BadLine, Reading, read_documents
from tests.support.records import LIMITS

NONE: dict[str, str | None] = {}


def read(path: Path, *pairs: str, encoding: str | None = None, time_format: str = "", **constants: str):
    columns = Columns.parse(pairs, constants, time_format)
    return [item for item, _ in read_documents(path, LIMITS, Reading(columns, encoding))]


def documents(items: list[Document | BadLine]) -> list[Document]:
    assert not [item for item in items if isinstance(item, BadLine)]
    return [item for item in items if isinstance(item, Document)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_encoding_and_delimiter_are_found_out(tmp_path: Path, encoding: str, delimiter: str) -> None:
    """What Excel and Chinese tools write is read without being told how; quoted line breaks are text."""
    path = tmp_path / "x.csv"
    with path.open("w", encoding=encoding, newline="") as out:
        writer = csv.writer(out, delimiter=delimiter)
        writer.writerows([["内容", "time", "n"], ["服务很差\n,;|\t“再也不来”", "2024-05-01 12:00", "3"]])
    [one] = documents(read(path, "text=内容", "published_at=time", "likes=n", source="weibo", kind="comment"))
    assert one.text == "服务很差\n,;|\t“再也不来”"
    assert (one.source, one.kind, one.metrics.likes) == ("weibo", "comment", 3)
    assert one.published_at == datetime(2024, 5, 1, 4, tzinfo=UTC)


def test_times_in_a_format_of_their_own(tmp_path: Path) -> None:
    """`--time-format` reads what is not ISO; seconds since the epoch are read as they stand."""
    path = tmp_path / "x.csv"
    path.write_text("text,published_at\nx,2024/5/1 8:03\ny,soon\n", encoding="utf-8")
    good, bad = read(path, time_format="%Y/%m/%d %H:%M")
    assert good.published_at == datetime(2024, 5, 1, 0, 3, tzinfo=UTC)
    assert "soon" in bad.reason
    path.write_text("text,published_at\nx,1714521600\n", encoding="utf-8")
    [one] = documents(read(path))
    assert one.published_at == datetime(2024, 5, 1, tzinfo=UTC)


@pytest.mark.parametrize("name", ["x.csv", "x.jsonl", "x.parquet"])
def test_an_unknown_column_is_named_with_those_there_are(tmp_path: Path, name: str) -> None:
    """A misspelt `--map` stops before anything is read, and the remedy lists what could have been meant."""
    path = tmp_path / name
    if name.endswith("parquet"):
        parquet.write_table(pa.table({"content": ["x"]}), path)
    else:
        path.write_text('{"content": "x"}\n' if "json" in name else "content\nx\n", encoding="utf-8")
    with pytest.raises(UsageError, match="contend") as raised:
        read(path, "text=contend")
    assert "content" in str(raised.value.remedy)


@pytest.mark.parametrize("pairs", [["text"], ["text="], ["nofield=x"], ["text=a", "text=b"], ["source=a"]])
def test_a_mapping_that_cannot_be_meant_is_refused(pairs: list[str]) -> None:
    """A wrong form, a field that documents do not have, and a field that is given twice."""
    with pytest.raises(UsageError):
        Columns.parse(pairs, {"source": "weibo"})


def test_damaged_rows_do_not_stop_a_table(tmp_path: Path) -> None:
    """Too many cells, a foreign encoding and a cell without end are bad lines; the rows around them are read."""
    path = tmp_path / "x.csv"
    rows = [b"id,text", b"a,x", b"b,x,one more", b"c,\xff\xfe\xfd", b"d,x,,", b"", b"e", b"f,x", b'g,"never closed']
    path.write_bytes(b"\n".join(rows))
    items = read(path, encoding="utf-8")
    assert [item.id for item in items if isinstance(item, Document)] == ["a", "d", "f", "g"]
    assert [item.line for item in items if isinstance(item, BadLine)] == [3, 4, 7]


def test_a_file_without_line_breaks_stays_small_in_memory(tmp_path: Path) -> None:
    """Ninety megabytes of one line are read in pieces."""
    path = tmp_path / "x.jsonl"
    with path.open("wb") as out:
        for _ in range(90):
            out.write(b"x" * 1_000_000)
    tracemalloc.start()
    items = [type(item) for item, _ in read_documents(path, LIMITS)]
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert set(items) == {BadLine}
    assert most < 85_000_000


def test_parquet_with_every_kind_of_cell(tmp_path: Path) -> None:
    """Numbers as ids, zoned and bare times, dates, nulls, decimals, nested counts; a nested text is a bad line."""
    path = tmp_path / "x.parquet"
    at = datetime(2024, 5, 1, 4, tzinfo=UTC)
    table = pa.table(
        {
            "id": pa.array([7, 8, None], pa.int64()),
            "author": pa.array([Decimal("1.50"), None, Decimal("2.00")]),
            "text": pa.array(["x", "y", "z"]),
            "published_at": pa.array([at, None, at], pa.timestamp("ns", "Asia/Shanghai")),
            "crawled_at": pa.array([date(2024, 5, 2)] * 3),
            "metrics": pa.array([{"likes": 1}, None, {"likes": 2}]),
            "unused": pa.array([b"\x00" * 1000] * 3),
        }
    )
    parquet.write_table(table, path)
    one, two, three = documents(read(path))
    assert (one.id, one.author, one.published_at, one.metrics.likes) == ("7", "1.50", at, 1)
    assert (two.published_at, two.crawled_at) == (None, datetime(2024, 5, 1, 16, tzinfo=UTC))
    assert three.id.startswith("unknown:")
    parquet.write_table(pa.table({"text": [["a", "list"]]}), path)
    [bad] = read(path)
    assert "text" in bad.reason


def test_parquet_is_read_in_pieces(tmp_path: Path) -> None:
    """A file of many row groups needs the memory of one of them."""
    path = tmp_path / "x.parquet"
    schema = pa.schema([("text", pa.string())])
    with parquet.ParquetWriter(path, schema, compression="none") as writer:
        for group in range(100):
            writer.write_table(pa.table({"text": [f"{group}-{n} " + "x" * 900 for n in range(500)]}, schema))
    before = pa.total_allocated_bytes()
    most = count = 0
    for item, progress in read_documents(path, LIMITS):
        count += isinstance(item, Document)
        last = progress
        most = max(most, pa.total_allocated_bytes() - before)
    assert count == 50_000
    assert last.read_bytes == last.total_bytes > 40_000_000
    assert most < 8_000_000


def test_a_damaged_table_ends_in_a_bad_line(tmp_path: Path) -> None:
    """Bytes that are no Parquet, and a file cut off, are reported and not fatal."""
    path = tmp_path / "x.parquet"
    path.write_bytes(b"PAR1 nothing of the kind PAR1")
    [bad] = read(path)
    assert isinstance(bad, BadLine)


def test_what_goes_onto_the_topic_is_not_cleaned(tmp_path: Path) -> None:
    """The worker cleans the text, so the import leaves it as it was: nothing is cleaned twice. The id is fixed."""
    path = tmp_path / "x.jsonl"
    path.write_text('{"title": " t ", "text": null, "source": "s"}\n{"text": " &amp;lt; "}\n', encoding="utf-8")
    first, second = (item for item, _ in read_documents(path, LIMITS, Reading(is_cleaned=False)))
    assert (first.title, first.text, first.lang) == (" t ", "", None)
    assert (second.text, second.id.startswith("unknown:")) == (" &amp;lt; ", True)
