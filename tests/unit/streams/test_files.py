import gzip
import json
from datetime import UTC, datetime

import pytest

from core.errors import NotFoundError, UsageError
from core.records import Metrics
from streams.sources.files import BadLine, read_documents
from streams.sources.producer import paced
from tests.support.records import LIMITS


def read(path):
    return [item for item, _ in read_documents(path, LIMITS)]


def test_json_lines_keep_going_past_bad_ones(tmp_path):
    """A bad line is reported with its number and reason, and the lines after it are read."""
    path = tmp_path / "docs.jsonl"
    path.write_bytes(b'{"id": "a", "text": "x"}\n{oops\n\n{"id": "b"}\n\xff\xfe\n{"id": "c", "text": "y"}\n')
    items = read(path)
    assert [item.id for item in items if not isinstance(item, BadLine)] == ["a", "c"]
    assert [item.line for item in items if isinstance(item, BadLine)] == [2, 4, 5]


def test_created_at_and_extra_fields(tmp_path):
    """Files of labelled data can be imported as they are: created_at is the event time, labels are ignored."""
    path = tmp_path / "docs.jsonl.gz"
    row = {"id": "a", "text": "x", "created_at": "2018-03-02", "sentiment": "negative", "company": "y"}
    path.write_bytes(gzip.compress(json.dumps(row).encode() + b"\n"))
    [document] = read(path)
    assert document.published_at == datetime(2018, 3, 1, 16, tzinfo=UTC)
    assert document.crawled_at is None


def test_document_without_a_time_stays_without(tmp_path):
    """The record's own timestamp stands in later; the import does not make one up."""
    path = tmp_path / "docs.jsonl"
    path.write_text('{"text": "x"}\n')
    [document] = read(path)
    assert document.published_at is None


def test_csv_with_counts(tmp_path):
    """Columns of a CSV are fields; likes, reposts and replies become metrics; a byte order mark does not matter."""
    path = tmp_path / "docs.csv"
    path.write_text("\ufeffid,text,likes,extra\na,很好,3,q\nb,,1,q\nc,bad,many,q\n", encoding="utf-8")
    good, empty, wrong = read(path)
    assert (good.id, good.text, good.metrics) == ("a", "很好", Metrics(likes=3))
    assert isinstance(empty, BadLine)
    assert isinstance(wrong, BadLine)


def test_damaged_gzip_ends_in_a_bad_line(tmp_path):
    """What could be read of a cut-off file is kept, and the damage is reported."""
    path = tmp_path / "docs.jsonl.gz"
    whole = gzip.compress(b"".join(b'{"id": "%d", "text": "x%d"}\n' % (n, n * 7919) for n in range(20000)))
    path.write_bytes(whole[: len(whole) // 2])
    items = read(path)
    assert len(items) > 1
    assert isinstance(items[-1], BadLine)


@pytest.mark.parametrize(("name", "error"), [("missing.jsonl", NotFoundError), ("table.xlsx", UsageError)])
def test_wrong_files_are_refused(tmp_path, name, error):
    """A file that is not there, or of a kind we do not read, is a clear error."""
    with pytest.raises(error):
        read(tmp_path / name)


def test_pace_is_kept():
    """`--rate` sends no faster than asked."""
    slept = []
    assert list(paced(range(4), 10.0, slept.append)) == [0, 1, 2, 3]
    assert slept[-1] == pytest.approx(0.3, abs=0.05)
