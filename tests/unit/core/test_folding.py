import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.folding import PLAIN, fold

TRICKY = [
    "…",
    "㈱",
    "㍿",
    "ß",
    "ﬃ",
    "İ",
    "ｶﾞ",
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
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", spaced).casefold())


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
