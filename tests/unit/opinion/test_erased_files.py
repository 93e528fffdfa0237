"""Copies of erased documents in files of any encoding."""

import html
import json
from pathlib import Path

import pytest

import models.gate_record
from opinion.erased_files import REPORT_FILE, Cleaned, Sought, clean

WORDS = "排队两小时，服务太差了"
KEPT = "很好，下次还来"


def cleaned(home: Path) -> Cleaned:
    return clean(home, [], Sought(["forum:1"], [WORDS]), is_training=False, is_dry=False)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_a_table_is_read_as_it_would_be_imported(tmp_path: Path, encoding: str) -> None:
    """Rows go by text and by id, and what stays is in the encoding that it came in."""
    table = tmp_path / "table.csv"
    table.write_text(f"编号,内容\r\nforum:1,x\r\n2,{WORDS}\r\n3,{KEPT}\r\n", encoding=encoding, newline="")
    assert cleaned(tmp_path).lines == {str(table): 2}
    assert table.read_text(encoding=encoding).splitlines() == ["编号,内容", f"3,{KEPT}"]


def test_bytes_that_are_no_text_stop_nothing(tmp_path: Path) -> None:
    """They stay as they are; lines around them go."""
    lines = tmp_path / "lines.jsonl"
    lines.write_bytes(b'{"text": "\xff\xfe"}\n' + f'{{"text": "{WORDS}"}}\n'.encode() + b'{"text": "\x80"}')
    (tmp_path / "worker.log").write_bytes(b"\xff nothing")
    found = cleaned(tmp_path)
    assert (found.lines, found.left) == ({str(lines): 1}, [])
    assert lines.read_bytes() == b'{"text": "\xff\xfe"}\n{"text": "\x80"}'


def test_a_verdict_loses_the_text_and_its_page(tmp_path: Path) -> None:
    """The line of the example goes, and the page that shows it, however it is escaped there; figures stay."""
    folder = tmp_path / "models" / "20260501-0011aabb"
    folder.mkdir(parents=True)
    words = f"<{WORDS}> & 'so'"
    kept = json.dumps({"text": KEPT}, ensure_ascii=False)
    (folder / "gate-examples.jsonl").write_text(f"{json.dumps({'text': words})}\n{kept}\n", encoding="utf-8")
    (folder / "gate.json").write_text("{}")
    report = folder / REPORT_FILE
    report.write_text(f"<td>{html.escape(words)}</td>", encoding="utf-8")
    found = clean(tmp_path, [], Sought([], [words]), is_training=False, is_dry=False)
    assert found.removed == [str(report)]
    assert (folder / "gate-examples.jsonl").read_text(encoding="utf-8").split() == kept.split()
    assert sorted(path.name for path in folder.iterdir()) == ["gate-examples.jsonl", "gate.json"]


def test_the_page_has_the_name_that_the_gate_gives_it() -> None:
    """The name is written twice, because the gate's own module loads too much for a clean-up."""
    assert REPORT_FILE == models.gate_record.REPORT_FILE


def test_a_file_that_only_a_person_can_mend_is_named(tmp_path: Path) -> None:
    """Whatever its encoding."""
    notes = tmp_path / "notes.txt"
    notes.write_text(WORDS, encoding="gb18030")
    assert cleaned(tmp_path).left == [str(notes)]
    assert notes.read_text(encoding="gb18030") == WORDS
