"""Answers of several people: what is learned from, what waits for an adjudicator, and how far they agree."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from core.taxonomy import Head
from storage.adjudication import adjudicate, conflicts
from storage.agreement import agreement, krippendorff_alpha
from storage.human_labels import LabelRow

MAY = datetime(2026, 5, 1, tzinfo=UTC)


def row(nth: int, text: str, annotator: str, answer: str, head: Head = "topic", **changes: Any) -> LabelRow:
    at = MAY + timedelta(minutes=nth)
    made = LabelRow(nth, b"", None, text, "zh", "s", head, answer, annotator, at, at)
    return made._replace(**changes)


DISPUTED = [
    row(1, "一", "li", "sports"),
    row(2, "一", "wang", "health"),
    row(3, "一", "li", "negative", "sentiment"),
    row(4, "二", "li", "game"),
    row(5, "二", "wang", "game"),
    row(6, "二", "mei", "travel"),
    row(7, "三", "li", "game"),
    row(8, "三", "wang", "travel"),
]


def test_a_tie_is_not_learned() -> None:
    """A question without a majority is left out, the text's other question stays; a text with no answer is gone."""
    texts, last = adjudicate(DISPUTED)
    assert {one.text: one.answers for one in texts} == {"一": {"sentiment": "negative"}, "二": {"topic": "game"}}
    assert last == 8


def test_an_adjudication_settles_a_tie() -> None:
    """What an adjudicator says is learned, and the conflict is no longer open."""
    rows = [*DISPUTED, row(9, "三", "chen", "travel", is_adjudication=True)]
    assert {one.text: one.answers.get("topic") for one in adjudicate(rows)[0]}["三"] == "travel"
    assert [one.text for one in conflicts(rows)] == ["一"]


def test_conflicts_are_listed() -> None:
    """Open ones by default, with who said what; all of them on request."""
    (first, third) = conflicts(DISPUTED)
    assert (first.head, first.answers, first.settled) == ("topic", {"li": "sports", "wang": "health"}, None)
    assert third.text == "三"
    assert [(one.text, one.settled) for one in conflicts(DISPUTED, is_open_only=False)] == [
        ("一", None),
        ("二", "game"),
        ("三", None),
    ]


def test_who_changes_their_mind_ends_a_conflict() -> None:
    """Only the newest answer of a person is held against the others'."""
    rows = [row(1, "一", "li", "sports"), row(2, "一", "wang", "health"), row(3, "一", "li", "health")]
    assert conflicts(rows, is_open_only=False) == []
    assert adjudicate(rows)[0][0].answers == {"topic": "health"}


def test_pairs_have_their_kappa() -> None:
    """Over the texts that both answered, with their newest answers; adjudications are no answers."""
    first, second = "aabbbacab", "ababbacaa"
    rows = []
    for nth, (one, other) in enumerate(zip(first, second, strict=True)):
        rows += [row(3 * nth, f"t{nth}", "li", one), row(3 * nth + 1, f"t{nth}", "wang", other)]
        rows.append(row(3 * nth + 2, f"t{nth}", "wang", "z", is_adjudication=True))
    rows += [row(900, "t0", "mei", "a"), row(901, "alone", "li", "b")]
    together, pairs = agreement(rows)
    by_pair = {pair.annotators: pair for pair in pairs}
    assert by_pair["li", "wang"].texts == 9
    assert by_pair["li", "wang"].same == pytest.approx(6 / 9)
    assert by_pair["li", "wang"].kappa == pytest.approx(21 / 48)  # by hand: chance gives 33 / 81
    assert by_pair["li", "mei"].kappa is None  # one text and one class: chance explains it
    assert (together[0].head, together[0].annotators, together[0].texts) == ("topic", 3, 9)
    assert (together[1].texts, together[1].alpha) == (0, None)


def units(matrix: Sequence[str]) -> list[list[str]]:
    """Columns of a table in which `.` is a missing answer."""
    return [[value for value in column if value != "."] for column in zip(*matrix, strict=True)]


def test_alpha_is_krippendorffs() -> None:
    """The two published examples for classes without an order: 12 units of 4 observers, and 10 of 2."""
    four = [
        "1 2 3 3 2 1 4 1 2 . . .",
        "1 2 3 3 2 2 4 1 2 5 . 3",
        ". 3 3 3 2 3 4 2 2 5 1 .",
        "1 2 3 3 2 4 4 1 2 5 1 .",
    ]
    assert krippendorff_alpha(units([line.replace(" ", "") for line in four])) == pytest.approx(0.743, abs=5e-4)
    two = ["0100000001", "1110010000"]
    assert krippendorff_alpha(units(two)) == pytest.approx(0.095, abs=5e-4)
    assert krippendorff_alpha([["a", "a"], ["a", "a", "a"]]) is None
    assert krippendorff_alpha([["a"], ["b"]]) is None
