import gzip
from pathlib import Path

import pytest

from core.errors import LabelSetError, NotFoundError, UsageError
from models.datasets import LabelledText, read_labelled


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_reads_rows_with_a_label_and_leaves_out_the_others(tmp_path: Path) -> None:
    """A row that answers no head cannot teach or test anything."""
    path = write(
        tmp_path / "a.train.jsonl",
        '{"text": "涨停了", "lang": "zh", "topic": "stocks", "sentiment": null, "source": "x", "label": "1"}',
        "",
        '{"text": "nothing known", "topic": null, "sentiment": null}',
        '{"text": "bad", "sentiment": "negative"}',
    )
    assert read_labelled(path, absent=("neutral",)) == [
        LabelledText("涨停了", topic="stocks", lang="zh", source="x", absent=("neutral",)),
        LabelledText("bad", sentiment="negative", source="a", absent=("neutral",)),
    ]


def test_reads_gzip(tmp_path: Path) -> None:
    """The shared data files are packed."""
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress('{"text": "好", "sentiment": "positive"}\n'.encode()))
    assert read_labelled(path)[0].sentiment == "positive"


def test_an_unknown_class_names_file_and_line(tmp_path: Path) -> None:
    """A wrong label is found before hours of training."""
    path = write(tmp_path / "a.jsonl", '{"text": "a", "topic": "sports"}', '{"text": "b", "topic": "weather"}')
    with pytest.raises(LabelSetError, match=r"a\.jsonl:2: 'weather'"):
        read_labelled(path)


def test_a_broken_line_names_file_and_line(tmp_path: Path) -> None:
    """A training file with holes is not trained on silently."""
    with pytest.raises(UsageError, match=r"a\.jsonl:1"):
        read_labelled(write(tmp_path / "a.jsonl", "{oops"))


def test_a_field_that_is_not_a_number_does_no_harm(tmp_path: Path) -> None:
    """pandas writes NaN for an empty field; the row is whole all the same."""
    path = write(tmp_path / "a.jsonl", '{"text": "fine", "sentiment": "neutral", "domain": NaN}')
    assert read_labelled(path)[0].text == "fine"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """The path that was tried is in the message."""
    with pytest.raises(NotFoundError, match=r"gone\.jsonl"):
        read_labelled(tmp_path / "gone.jsonl")
