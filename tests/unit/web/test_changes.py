"""What a revision changed."""

import time

from web.changes import MOST_WORDS, changes


def said(before: str, after: str) -> list[tuple[str, str]]:
    return [(one.kind, one.text) for one in changes(before, after)]


def test_changes_are_word_by_word_and_character_by_character() -> None:
    """English changes by word, Chinese by character; the same text has no change."""
    assert said("a price cut", "a price rise") == [("same", "a price "), ("gone", "cut"), ("new", "rise")]
    assert said("停业三天", "停业五天") == [("same", "停业"), ("gone", "三"), ("new", "五"), ("same", "天")]
    assert changes("x", "x") == []
    assert said("", "new") == [("new", "new")]


def test_both_texts_can_be_put_together_again() -> None:
    """Nothing is lost in a short text."""
    before, after = "the quick brown fox jumps", "a quick red fox jumped, twice"
    found = said(before, after)
    assert "".join(text for kind, text in found if kind != "new") == before
    assert "".join(text for kind, text in found if kind != "gone") == after


def test_what_stayed_is_cut_far_from_a_change() -> None:
    """A long text with one change fits on a page."""
    found = changes("同" * 5000 + "甲", "同" * 5000 + "乙")
    assert sum(len(one.text) + len(one.rest) for one in found) < 200
    assert found[0].is_cut


def test_no_two_texts_take_long() -> None:
    """Texts that have nothing in common, and such that repeat themselves, are exchanged whole."""
    started = time.perf_counter()
    for before, after in (("ab " * 40_000, "b a" * 40_000), ("".join(map(chr, range(19968, 40000))), "的" * 20_000)):
        assert changes(before, after)
    assert time.perf_counter() - started < 5
    assert MOST_WORDS < 40_000
