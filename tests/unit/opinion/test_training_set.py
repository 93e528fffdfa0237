"""What a run learns from: the newest answers, and a held-out part that stays unseen."""

from datetime import UTC, datetime, timedelta

import pytest

from opinion.adjudication import AnsweredText, adjudicate
from opinion.training_set import split
from storage.human_labels import LabelRow

MAY = datetime(2026, 5, 1, tzinfo=UTC)


def row(nth: int, text: str, answer: str, *, head: str = "topic", day: int = 0, **changes: object) -> LabelRow:
    values = {
        "id": nth,
        "label_key": b"",
        "document_id": None,
        "text": text,
        "lang": "zh",
        "source": "s",
        "head": head,
        "answer": answer,
        "annotator": "li",
        "labelled_at": MAY + timedelta(days=day),
        "recorded_at": MAY + timedelta(days=day),
    }
    return LabelRow(**(values | changes))  # type: ignore[arg-type]


def texts(rows: list[LabelRow]) -> list[AnsweredText]:
    return adjudicate(rows)[0]


def test_the_newest_answer_wins() -> None:
    """By the time it was given, for each head; texts that differ in case or width only are one."""
    rows = [
        row(1, "ABC", "sports", day=2),
        row(2, "ａｂｃ", "health", day=1),
        row(3, "abc", "negative", head="sentiment", day=0),
    ]
    (one,) = texts(rows)
    assert one.answers == {"topic": "sports", "sentiment": "negative"}
    assert adjudicate(rows)[1] == 3


def test_the_newest_share_is_held_out() -> None:
    """The texts that came last are for the gate, and no text is in two parts."""
    rows = [row(nth, f"text {nth}", "sports", day=nth) for nth in range(100)]
    parts = split(texts(rows), 99, held_out_share=0.2)
    assert {one.text for one in parts.held_out} == {f"text {nth}" for nth in range(80, 100)}
    names = [one.text for part in (parts.train, parts.dev, parts.held_out) for one in part]
    assert len(names) == len(set(names)) == parts.texts == 100
    assert parts.dev


def test_a_file_sorted_by_class_is_mixed() -> None:
    """Answers that came together are split by a hash, so that both classes are on both sides."""
    rows = [row(nth, f"text {nth}", "sports" if nth < 100 else "health") for nth in range(200)]
    parts = split(texts(rows), 200, held_out_share=0.2)
    for part in (parts.train, parts.held_out):
        assert {one.topic for one in part} == {"sports", "health"}


def test_what_was_trained_on_is_never_held_out_later() -> None:
    """More labels, and a correction of an old one, move no text from the training to the held-out part."""
    rows = [row(nth, f"text {nth}", "sports", day=nth // 10) for nth in range(100)]
    before = split(texts(rows), 0, held_out_share=0.2)
    more = [row(100 + nth, f"text {100 + nth}", "health", day=20) for nth in range(7)]
    corrections = [row(200 + nth, f"text {nth}", "health", day=30) for nth in range(5)]
    after = split(texts([*rows, *more, *corrections]), 0, held_out_share=0.2)
    seen = {one.text for one in [*before.train, *before.dev]}
    assert not seen & {one.text for one in after.held_out}
    assert {one.text: one.topic for one in [*after.train, *after.dev]}["text 0"] == "health"


def test_sources_that_never_say_neutral_mask_it() -> None:
    """Many negative and positive answers without a neutral one say nothing about neutral texts."""
    rows = [row(nth, f"t{nth}", ["negative", "positive"][nth % 2], head="sentiment") for nth in range(60)]
    mixed = [
        row(100 + nth, f"u{nth}", ["negative", "neutral", "positive"][nth % 3], head="sentiment", source="m")
        for nth in range(60)
    ]
    parts = split(texts([*rows, *mixed]), 0, held_out_share=0.1)
    absent = {one.source: one.absent for one in [*parts.train, *parts.held_out]}
    assert absent == {"s": ("neutral",), "m": ()}


@pytest.mark.parametrize("count", [3, 4, 5, 7, 12])
def test_few_labels_still_fill_every_part(count: int) -> None:
    """Three texts are enough to train on one, stop by one and judge by one."""
    parts = split(texts([row(nth, f"t{nth}", "sports", day=nth) for nth in range(count)]), 0, held_out_share=0.5)
    assert min(len(parts.train), len(parts.dev), len(parts.held_out)) >= 1
    assert parts.texts == count


def test_two_labels_are_too_few() -> None:
    """With fewer texts than parts there is nothing to do."""
    with pytest.raises(ValueError, match="2 texts"):
        split(texts([row(1, "a", "sports"), row(2, "b", "sports")]), 2, held_out_share=0.2)
