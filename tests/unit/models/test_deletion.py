"""The deletion test: what is removed, and when an explanation is better than chance."""

from collections.abc import Sequence

from models.deletion import deletion_test, without

TEXT = "a b c d e f g h i rude"
SPANS = [(place, place + 1) for place in range(0, 18, 2)] + [(18, 22)]


def rudeness(texts: Sequence[str]) -> list[float]:
    """A model that knows one word."""
    return [0.9 if "rude" in text else 0.1 for text in texts]


def test_the_telling_word_first_is_better_than_random() -> None:
    """Without the one word that counts the score falls at once; a random word is rarely that one."""
    found = deletion_test(TEXT, [SPANS[-1], *SPANS[:-1]], 0.9, rudeness)
    assert found is not None
    assert found.aopc == 0.8
    assert found.aopc_random < 0.5
    assert [step.removed for step in found.steps] == [1, 2, 5]


def test_a_wrong_ranking_is_worse_than_random() -> None:
    """An explanation that names the wrong words is found out."""
    found = deletion_test(TEXT, SPANS, 0.9, rudeness)
    assert found is not None
    assert found.aopc == 0.0
    assert found.aopc < found.aopc_random


def test_the_same_text_is_tested_alike() -> None:
    """Figures can be compared between runs."""
    assert deletion_test(TEXT, SPANS, 0.9, rudeness) == deletion_test(TEXT, SPANS, 0.9, rudeness)


def test_a_single_word_leaves_no_choice() -> None:
    """Where every word is the top word there is nothing to compare."""
    assert deletion_test("rude", [(0, 4)], 0.9, rudeness) is None


def test_spans_are_cut_out_in_any_order() -> None:
    """Only the words go; what stands between them stays."""
    assert without("one two three", [(8, 13), (0, 3)]) == " two "
