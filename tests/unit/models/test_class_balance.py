"""How often rows of rare classes are seen."""

from models.class_balance import MOST_REPEATS, repeats
from models.datasets import LabelledText


def rows(**counts: int) -> list[LabelledText]:
    return [LabelledText(f"{name} {nth}", sentiment=name) for name, count in counts.items() for nth in range(count)]


def test_rare_classes_are_seen_more_often() -> None:
    """A class four times rarer is seen twice as often, and the frequent one once."""
    assert repeats(rows(negative=400, positive=100)) == [1] * 400 + [2] * 100


def test_fractions_are_kept_in_the_mean() -> None:
    """Between two whole numbers some rows get the one and some the other, always the same ones."""
    labelled = rows(negative=900, positive=400)
    counts = repeats(labelled)[900:]
    assert set(counts) == {1, 2}
    assert 1.4 < sum(counts) / 400 < 1.6
    assert counts == repeats(labelled)[900:]


def test_one_text_is_not_learned_by_heart() -> None:
    """However rare a class is, its rows are seen a few times at most; rows without answers once."""
    assert repeats([*rows(negative=1000, positive=1), LabelledText("?")])[-2:] == [MOST_REPEATS, 1]
