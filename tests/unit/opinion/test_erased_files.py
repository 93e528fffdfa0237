"""Copies of erased documents in files of any encoding."""

from pathlib import Path

import pytest

from opinion.erased_files import Cleaned, Sought, clean

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


def test_a_file_that_only_a_person_can_mend_is_named(tmp_path: Path) -> None:
    """Whatever its encoding."""
    notes = tmp_path / "notes.txt"
    notes.write_text(WORDS, encoding="gb18030")
    assert cleaned(tmp_path).left == [str(notes)]
    assert notes.read_text(encoding="gb18030") == WORDS
