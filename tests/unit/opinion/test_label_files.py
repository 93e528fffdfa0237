"""Files of labels: what is taken, what is refused line by line, and why."""

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from core.errors import NotFoundError, UsageError
from opinion.label_files import LabelFile, csv_safe, read

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
ZONE = ZoneInfo("Asia/Shanghai")


def reading(path: Path) -> LabelFile:
    return read(path, annotator="importer", zone=ZONE, now=NOW)


def jsonl(folder: Path, *lines: object) -> LabelFile:
    """Objects are written as JSON, text as it stands."""
    path = folder / "labels.jsonl"
    path.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines))
    return reading(path)


def reasons(found: LabelFile) -> dict[int, str]:
    return {reject.line: reject.reason for reject in found.rejects}


def test_one_line_may_answer_both_heads(tmp_path: Path) -> None:
    """A line with topic and sentiment gives two answers about the same text."""
    found = jsonl(tmp_path, {"text": "新车很好", "topic": "automobile", "sentiment": "positive"})
    assert [(said.head, said.answer, said.annotator) for said in found.statements[1]] == [
        ("topic", "automobile", "importer"),
        ("sentiment", "positive", "importer"),
    ]


def test_shared_data_fields_are_taken(tmp_path: Path) -> None:
    """A line as labelled data sets have it, a null head and unknown fields (NaN too) included, is good."""
    line = {
        "id": "x-1",
        "text": "球队赢了",
        "lang": "zh",
        "topic": "sports",
        "sentiment": None,
        "label": "0",
        "source": "S",
    }
    found = jsonl(tmp_path, line | {"domain": float("nan")})
    (said,) = found.statements[1]
    assert (said.document_id, said.text, said.lang, said.source) == ("x-1", "球队赢了", "zh", "S")
    assert not found.rejects


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"text": "a", "topic": ', "bad_json"),
        ('{"text": 5, "topic": "sports"}', "bad_record"),
        ({"text": "a", "topic": "weather"}, "bad_record"),
        ({"text": "a", "sentiment": "Negative"}, "bad_record"),
        ({"topic": "sports"}, "empty_text"),
        ({"text": "\u0000 \u0007", "topic": "sports"}, "empty_text"),
        ({"text": "a", "topic": "sports", "labelled_at": "yesterday"}, "bad_record"),
        ({"text": "a", "topic": "sports", "labelled_at": "2027-01-01"}, "bad_record"),
        ({"text": "a" * 50_001, "topic": "sports"}, "too_large"),
        ({"text": "a", "topic": "sports", "annotator": "x" * 600}, "bad_record"),
    ],
)
def test_bad_lines_are_reported_and_spoil_no_other(tmp_path: Path, line: object, reason: str) -> None:
    """A line that cannot be imported is reported with its number; the line after it is taken."""
    found = jsonl(tmp_path, line, {"text": "b", "topic": "sports"})
    assert reasons(found) == {1: reason}
    assert list(found.statements) == [2]


def test_half_a_line_is_never_taken(tmp_path: Path) -> None:
    """One unknown class refuses the line's other answer too."""
    found = jsonl(tmp_path, {"text": "a", "topic": "sports", "sentiment": "angry"})
    assert reasons(found) == {1: "bad_record"}
    assert not found.statements


def test_bytes_that_are_no_text_cost_their_own_line(tmp_path: Path) -> None:
    """Invalid UTF-8 is reported for its line, in JSON Lines and in CSV."""
    lines = tmp_path / "a.jsonl"
    lines.write_bytes(b'{"text": "\xff", "topic": "sports"}\n{"text": "b", "topic": "sports"}\n')
    table = tmp_path / "a.csv"
    table.write_bytes(b"text,topic\n" + "坏".encode("gb18030") + b",sports\nb,sports\n")
    assert reasons(reading(lines)) == {1: "bad_encoding"}
    assert reasons(reading(table)) == {2: "bad_encoding"}


def test_conflicting_lines_are_all_refused(tmp_path: Path) -> None:
    """The same text (case and width aside) with two answers by one person: neither line is imported."""
    found = jsonl(
        tmp_path,
        {"text": "ＡＢＣ news", "topic": "sports"},
        {"text": "other", "topic": "sports"},
        {"text": "abc  NEWS", "topic": "health", "sentiment": "neutral"},
    )
    assert reasons(found) == {1: "conflicting_labels", 3: "conflicting_labels"}
    assert "health in line 3, sports in line 1" in found.rejects[0].detail
    assert list(found.statements) == [2]


def test_people_may_disagree_and_change_their_mind(tmp_path: Path) -> None:
    """Different annotators, or one at different times, are no conflict."""
    found = jsonl(
        tmp_path,
        {"text": "a", "topic": "sports", "annotator": "li"},
        {"text": "a", "topic": "health", "annotator": "wang"},
        {"text": "a", "topic": "health", "annotator": "li", "labelled_at": "2026-04-01"},
    )
    assert not found.rejects


def test_csv_as_spreadsheets_write_it(tmp_path: Path) -> None:
    """Byte order mark, line breaks in cells, empty cells: the line number is where the row ends."""
    path = tmp_path / "labels.csv"
    path.write_text('\ufefftext,topic,sentiment\r\n"两\n行",sports,\r\n,sports,\r\n', encoding="utf-8")
    found = reading(path)
    assert [said.text for said in found.statements[3]] == ["两\n行"]
    assert reasons(found) == {4: "empty_text"}


def test_a_time_without_zone_is_read_in_the_configured_one(tmp_path: Path) -> None:
    """`labelled_at` without an offset means the configured zone."""
    found = jsonl(tmp_path, {"text": "a", "topic": "sports", "labelled_at": "2026-04-01 08:00"})
    assert found.statements[1][0].labelled_at == datetime(2026, 4, 1, tzinfo=UTC)


def test_unlabelled_lines_are_counted(tmp_path: Path) -> None:
    """A line without any answer is counted apart, not rejected; blank lines do not count."""
    found = jsonl(tmp_path, {"text": "a", "topic": None}, "", {"text": "b", "topic": "sports"})
    assert (found.lines, found.unlabelled, len(found.rejects)) == (2, 1, 0)


def test_files_that_cannot_be_read_at_all(tmp_path: Path) -> None:
    """A missing file, another format, a cut-off archive and a CSV without our columns are refused whole."""
    with pytest.raises(NotFoundError):
        reading(tmp_path / "no.jsonl")
    (tmp_path / "a.xlsx").write_bytes(b"PK")
    cut = tmp_path / "cut.jsonl.gz"
    cut.write_bytes(gzip.compress(b'{"text": "a", "topic": "sports"}\n' * 1000)[:-20])
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    for name in ("a.xlsx", "cut.jsonl.gz", "a.csv"):
        with pytest.raises(UsageError):
            reading(tmp_path / name)


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1"])
def test_no_cell_is_a_formula(cell: str) -> None:
    """Spreadsheets run what begins like a formula; a quote in front makes it text."""
    assert csv_safe(cell) == f"'{cell}"
    assert csv_safe("好=1") == "好=1"


def test_the_circumstances_of_an_answer_are_taken(tmp_path: Path) -> None:
    """Guideline, seconds and adjudication, from JSON and from the text of a CSV; a line cannot claim its way in."""
    path = tmp_path / "labels.csv"
    path.write_text("text,topic,guideline,seconds,is_adjudication,intake\na,sports,2,1.5,True,console\nb,game,,,,\n")
    found = reading(path)
    (first,), (second,) = found.statements.values()
    assert (first.guideline, first.seconds, first.is_adjudication, first.intake) == ("2", 1.5, True, "file")
    assert (second.guideline, second.seconds, second.is_adjudication) == ("", None, False)
    same = jsonl(
        tmp_path, {"text": "a", "topic": "sports", "guideline": "2", "seconds": 1.5, "is_adjudication": True}
    )
    assert same.statements[1][0] == first
    (other,) = read(path, annotator="importer", zone=ZONE, now=NOW, guideline="9").statements[3]
    assert other.guideline == "9"


@pytest.mark.parametrize(
    "line",
    [
        {"seconds": "long"},
        {"seconds": -1},
        {"seconds": 1e9},
        {"seconds": "nan"},
        {"is_adjudication": "perhaps"},
        {"guideline": "x" * 600},
    ],
)
def test_impossible_circumstances_are_refused(tmp_path: Path, line: dict[str, object]) -> None:
    """The line is reported, and its answer not taken without them."""
    found = jsonl(tmp_path, {"text": "a", "topic": "sports", **line})
    assert reasons(found) == {1: "bad_record"}
    (field,) = line
    assert field in found.rejects[0].detail
