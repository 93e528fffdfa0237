"""Slices: what is destroyed is refused by its name, noise is not."""

from dataclasses import replace

import numpy as np
import pytest

from models.datasets import LabelledText
from models.gate_options import GateOptions
from models.gate_slices import check_slices, compare_slices, fallen, where_nobody_answered
from tests.support.contestants import answers, rights, says, texts

OPTIONS = GateOptions()
ZH, EN = texts(120, lang="zh", source="weibo"), texts(60, lang="en", source="tweets")
ROWS = ZH + EN
CHAMPION = rights(180, 0.75, seed=1)


def test_one_language_destroyed_is_refused_by_its_name() -> None:
    """The other language gains more than this one loses, and that does not help."""
    after = [True] * 120 + [False] * 60
    changes = compare_slices("held-out labels", ROWS, answers(ROWS, CHAMPION), answers(ROWS, after), OPTIONS)
    checks = check_slices(changes, OPTIONS)
    assert all(check.is_passed is False for check in checks)
    assert checks[0].reason.startswith("refused: held-out labels, language en (sentiment): 0.0 % right, champion ")
    assert not [check for check in checks if "zh" in check.reason or "weibo" in check.reason]


def test_as_good_passes_with_the_worst_slice_named() -> None:
    """People see how near it was."""
    opinions = answers(ROWS, CHAMPION)
    (check,) = check_slices(compare_slices("held-out labels", ROWS, opinions, opinions, OPTIONS), OPTIONS)
    assert check.is_passed
    assert "7 slices, none worse by more than 5 points beyond chance; worst: " in check.sentence


def test_a_dozen_rows_refuse_when_they_are_destroyed_and_not_by_noise() -> None:
    """Four of twelve lost may be chance; all twelve may not."""
    few = texts(12, lang="de")
    options = replace(OPTIONS, slice_rows=12)
    before = answers(few, [True] * 12)
    for lost, is_refused in ((4, False), (12, True)):
        after = answers(few, [nth >= lost for nth in range(12)])
        assert bool(fallen(compare_slices("held-out labels", few, before, after, options), options)) is is_refused


def test_a_small_slice_is_shown_and_not_judged() -> None:
    """It is in the record for people to see."""
    few = texts(12)
    changes = compare_slices("held-out labels", few, answers(few, [True] * 12), answers(few, [False] * 12), OPTIONS)
    assert {change.kind for change in changes} == {"language", "source", "class"}
    assert not any(change.is_judged for change in changes)
    assert check_slices(changes, OPTIONS)[0].reason == "no slice was judged: none has 30 rows"


def test_watchlists_are_slices() -> None:
    """What people pay attention to is judged by itself."""
    rows = [replace(row, watchlists=("银行",) if nth < 40 else ()) for nth, row in enumerate(ZH)]
    after = [nth >= 40 for nth in range(120)]
    changes = compare_slices("held-out labels", rows, answers(rows, [True] * 120), answers(rows, after), OPTIONS)
    assert [change.name for change in fallen(changes, OPTIONS) if change.kind == "watchlist"] == ["银行"]


def test_what_only_the_champion_answered_is_judged_by_its_belief() -> None:
    """It could only lose there: changes of doubtful answers are cheap, and a fall beyond the margin is refused."""
    rows = [LabelledText(f"text {nth}", sentiment="negative", lang="en") for nth in range(60)]
    before = [says("negative", 0.38) for _ in rows]
    changed = [says("positive") for _ in rows]
    doubtful = compare_slices("replay texts", rows, before, changed, OPTIONS, by_belief=True)
    assert not fallen(doubtful, replace(OPTIONS, slice_margin=0.08))
    sure = compare_slices(
        "replay texts", rows, [says("negative", 0.95) for _ in rows], changed, OPTIONS, by_belief=True
    )
    assert [change.kind for change in fallen(sure, OPTIONS)] == ["language", "source", "class"]
    assert check_slices(sure, OPTIONS)[0].reason.startswith("refused: replay texts, language en (sentiment): 2.5 %")


def test_belief_does_not_judge_what_people_answered() -> None:
    """On texts that have changed the champion is sure and wrong; to disagree with it there is what was wanted."""
    before, after = [says("negative", 0.95)] * 60, [says("positive")] * 60
    believed = [LabelledText(f"text {nth}", sentiment="negative", lang="en", source="new") for nth in range(60)]
    answered = [replace(row, sentiment="positive") for row in believed]
    by_people = compare_slices("held-out labels", answered, before, after, OPTIONS)
    by_belief = compare_slices("replay texts", believed, before, after, OPTIONS, by_belief=True)
    assert {change.kind for change in fallen(by_belief, OPTIONS)} == {"language", "source", "class"}
    left = where_nobody_answered(by_belief, by_people)
    assert [change.name for change in fallen([*by_people, *left], OPTIONS)] == ["negative"]


def test_names_from_outside_stay_on_their_line() -> None:
    """A source may be called anything."""
    rows = texts(40, source="x\n\x1b[31m passed: all is well" + "!" * 200)
    changes = compare_slices(
        "held-out labels", rows, answers(rows, [True] * 40), answers(rows, [False] * 40), OPTIONS
    )
    reason = next(check.reason for check in check_slices(changes, OPTIONS) if "source" in check.reason)
    assert "\n" not in reason
    assert "\x1b" not in reason
    assert len(reason) < 300


@pytest.mark.parametrize("flips", [0.05, 0.2])
def test_equals_are_rarely_refused(flips: float) -> None:
    """Of 60 candidates that change answers at random, as many for the better as for the worse, 5 % at most."""
    chance = np.random.default_rng(7)
    rows = [replace(row, source=f"source {nth % 12}") for nth, row in enumerate(texts(600))]
    refused = 0
    for _ in range(60):
        before = chance.random(600) < 0.7
        after = before ^ (chance.random(600) < flips * np.where(before, 3 / 7, 1))
        changes = compare_slices("held-out labels", rows, answers(rows, before), answers(rows, after), OPTIONS)
        refused += bool(fallen(changes, OPTIONS))
    assert refused <= 3
