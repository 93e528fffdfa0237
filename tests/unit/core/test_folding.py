import re
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.folding import PLAIN, fold, simplified

TRICKY = [
    "…",
    "㈱",
    "㍿",
    "ß",
    "ﬃ",
    "İ",
    "ｶﾞ",
    "蘋",
    "\uf9dc",
    "\u7bc0",
    "ガ",
    "e\u0301",
    "é",
    "\u1100\u1161\u11a8",
    "한",
    "\u00a0",
    "\t",
    "  ",
    "¨",
    "⑩",
]


def reference(text: str) -> str:
    """The definition, at once: no way back to the original."""
    spaced = re.sub(r"\s+", " ", text)
    return simplified(unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", spaced).casefold()))


@pytest.mark.parametrize("piece", TRICKY)
@pytest.mark.parametrize("around", [("", ""), ("苹果", "AI"), ("a", "b"), (" ", " ")])
def test_changes_of_length_come_back_to_the_original(piece: str, around: tuple[str, str]) -> None:
    """What surrounds a character that folds to more or fewer is still found where it stands."""
    before, after = around
    folded = fold(before + piece + after)
    assert folded.text == reference(before + piece + after)
    if after.strip():
        start = folded.starts[len(folded.text) - len(after)]
        assert (before + piece + after)[start:] == after


@given(st.lists(st.sampled_from(TRICKY) | st.text(max_size=4), max_size=8).map("".join))
def test_fold_is_its_definition_piece_by_piece(text: str) -> None:
    """Each stretch of the original folds to its own characters, in order, without gap; together they are the fold."""
    folded = fold(text)
    assert len(folded.text) == len(folded.starts) == len(folded.ends)
    place = 0
    for start, end in dict.fromkeys(zip(folded.starts, folded.ends, strict=True)):
        assert start == place < end
        place = end
    assert place == len(text)
    if not re.search(r"\s", folded.text):  # spaces may come from marks without a letter; those are not merged
        assert folded.text == reference(text)


def test_plain_characters_fold_to_one() -> None:
    """The short way takes only characters for which it equals the definition."""
    plain = re.findall(f"[{PLAIN}]", "".join(map(chr, range(0x110000))))
    assert len(plain) > 20_000
    assert [c for c in plain if fold(c).text != reference(c) or len(reference(c)) != 1] == []
    assert [c for c in plain if len(unicodedata.normalize("NFKC", "a" + c)) != 2] == []


@pytest.mark.parametrize(
    ("text", "folded"), [("臺灣蘋果", "台湾苹果"), ("薴", "苎"), ("\uf9dc", "隆"), ("㑮", "𫝈"), ("日本", "日本")]
)
def test_traditional_characters_are_simplified(text: str, folded: str) -> None:
    """One for one, at their own places, compatibility forms and rare planes too; what has one form stays."""
    assert (fold(text).text, list(fold(text).starts)) == (folded, list(range(len(text))))


def test_simplified_characters_stay() -> None:
    """Folding twice is folding once: no character is simplified to one that would be simplified again."""
    everything = "".join(chr(code) for code in range(0x3400, 0x30000))
    assert simplified(simplified(everything)) == simplified(everything)


def test_the_table_is_that_of_opencc() -> None:
    """The file in `core` is OpenCC's table, of several characters the first, chains followed to their end."""
    opencc = pytest.importorskip("opencc", reason="the table's source is not installed")
    path = Path(opencc.__file__).parent / "dictionary" / "TSCharacters.txt"
    pairs = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]
    first = {key: values.split(" ")[0] for key, values in pairs}
    table = {key: first.get(value, value) for key, value in first.items() if len(key) == len(value) == 1}
    assert len(table) > 4000
    assert {key: value for key, value in table.items() if simplified(key) != value} == {}
    assert [chr(c) for c in range(0x3400, 0x30000) if simplified(chr(c)) != table.get(chr(c), chr(c))] == []
