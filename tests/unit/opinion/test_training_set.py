"""What a run learns from: the newest answers, and a gold set that stays unseen."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from opinion.snapshot import LearningOptions, content_hash
from opinion.training_set import choose_gold, split
from storage.adjudication import AnsweredText, adjudicate
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


def gold_of(
    found: list[AnsweredText], share: float, gold: dict[bytes, datetime] | None = None
) -> dict[bytes, datetime]:
    """The gold set after a first look, or after another one in which every text outside is new."""
    before = gold or {}
    chosen = choose_gold(found, before, {text.key for text in found}, share=share)
    return before | dict.fromkeys(chosen, MAY)


def test_the_newest_share_is_gold() -> None:
    """The texts that came last are for the gate, and no text is in two parts."""
    found = texts([row(nth, f"text {nth}", "sports", day=nth) for nth in range(100)])
    parts = split(found, 99, gold=gold_of(found, 0.2))
    assert {one.text for one in parts.held_out} == {f"text {nth}" for nth in range(80, 100)}
    names = [one.text for part in (parts.train, parts.dev, parts.held_out) for one in part]
    assert len(names) == len(set(names)) == parts.texts == 100
    assert parts.dev


def test_a_file_sorted_by_class_is_mixed() -> None:
    """Answers that came together are split by a hash, so that both classes are on both sides."""
    found = texts([row(nth, f"text {nth}", "sports" if nth < 100 else "health") for nth in range(200)])
    parts = split(found, 200, gold=gold_of(found, 0.2))
    for part in (parts.train, parts.held_out):
        assert {one.topic for one in part} == {"sports", "health"}


def test_what_is_gold_stays_gold_over_many_rounds() -> None:
    """However many labels come, and however old answers are corrected: nothing that was once trained on or stopped
    by is ever judged by, and nothing that judged is ever trained on."""
    rows: list[LabelRow] = []
    gold: dict[bytes, datetime] = {}
    learned: set[str] = set()
    judged: set[str] = set()
    seen: set[bytes] = set()
    for round_ in range(6):
        start = len(rows)
        rows += [row(start + nth, f"text {start + nth}", "sports", day=10 * round_ + nth) for nth in range(20)]
        rows += [row(1000 + start + nth, f"text {nth}", "health", day=10 * round_ + 9) for nth in range(0, start, 7)]
        found = texts(rows)
        new = {text.key for text in found} - seen
        gold |= dict.fromkeys(choose_gold(found, gold, new, share=0.2), MAY)
        seen |= new
        parts = split(found, 0, gold=gold)
        learned |= {one.text for one in [*parts.train, *parts.dev]}
        judged |= {one.text for one in parts.held_out}
        assert not learned & judged
    assert len(judged) == len(gold) > 20


def test_small_batches_give_gold_too() -> None:
    """Labels that trickle in one by one would never round up to a share of their own."""
    gold: dict[bytes, datetime] = {}
    for count in range(3, 60):
        gold = gold_of(texts([row(nth, f"text {nth}", "sports", day=nth) for nth in range(count)]), 0.2, gold)
    assert len(gold) == 12


def test_gold_from_elsewhere_counts_and_is_never_trained_on() -> None:
    """Answers to a random sample, put into the gold set by hand, take the place of a share of a batch."""
    found = texts([row(nth, f"text {nth}", "sports", day=nth) for nth in range(50)])
    random_sample = {found[nth].key: MAY for nth in range(10)}
    gold = gold_of(found, 0.2, random_sample)
    assert gold == random_sample
    assert {one.text for one in split(found, 0, gold=gold).held_out} == {f"text {nth}" for nth in range(10)}


def test_nothing_joins_that_was_seen_before() -> None:
    """With a larger share than before, only new texts join."""
    found = texts([row(nth, f"text {nth}", "sports", day=nth) for nth in range(50)])
    new = {text.key for text in found[-2:]}
    assert set(choose_gold(found, gold_of(found[:-2], 0.1), new, share=0.5)) == new


def test_sources_that_never_say_neutral_mask_it() -> None:
    """Many negative and positive answers without a neutral one say nothing about neutral texts."""
    rows = [row(nth, f"t{nth}", ["negative", "positive"][nth % 2], head="sentiment") for nth in range(60)]
    mixed = [
        row(100 + nth, f"u{nth}", ["negative", "neutral", "positive"][nth % 3], head="sentiment", source="m")
        for nth in range(60)
    ]
    found = texts([*rows, *mixed])
    parts = split(found, 0, gold=gold_of(found, 0.1))
    absent = {one.source: one.absent for one in [*parts.train, *parts.held_out]}
    assert absent == {"s": ("neutral",), "m": ()}


@pytest.mark.parametrize("count", [3, 4, 5, 7, 12])
def test_few_labels_still_fill_every_part(count: int) -> None:
    """Three texts are enough to train on one, stop by one and judge by one."""
    found = texts([row(nth, f"t{nth}", "sports", day=nth) for nth in range(count)])
    parts = split(found, 0, gold=gold_of(found, 0.5))
    assert min(len(parts.train), len(parts.dev), len(parts.held_out)) >= 1
    assert parts.texts == count


def test_two_labels_are_too_few() -> None:
    """With fewer texts than parts there is nothing to do."""
    found = texts([row(1, "a", "sports"), row(2, "b", "sports")])
    assert choose_gold(found, {}, {text.key for text in found}, share=0.2) == []
    with pytest.raises(ValueError, match="2 texts to learn from and 0 to judge by"):
        split(found, 2, gold={})


def test_the_hash_tells_the_content() -> None:
    """The same labels in another order give the same hash; another answer, part or option another one."""
    rows = [row(nth, f"text {nth}", "sports", day=nth) for nth in range(20)]
    gold = gold_of(texts(rows), 0.2)
    options = LearningOptions(4, 0, "full", 256)
    parts = split(texts(rows), 0, gold=gold)
    told = content_hash(parts, options)
    assert content_hash(replace(parts, train=parts.train[::-1]), options) == told
    changed = split(texts([*rows, row(99, "text 3", "health", day=50)]), 0, gold=gold)
    moved = replace(parts, dev=[*parts.dev, parts.train[0]], train=parts.train[1:])
    others = [
        content_hash(changed, options),
        content_hash(moved, options),
        content_hash(parts, replace(options, method="lora")),
    ]
    assert len({told, *others}) == 4
