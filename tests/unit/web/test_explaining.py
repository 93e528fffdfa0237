"""Explanations are remembered, and shaded without losing a character of the text."""

from core.taxonomy import Head
from web.explaining import Explanations, Why, Word, shaded, strongest

TEXT = "热情 等了三小时 太差"


def why(words: list[Word]) -> Why:
    return Why("sentiment", "negative", 0.9, tuple(words), "integrated", "m1", None)


def test_an_answer_is_asked_for_once() -> None:
    """The same text and model are not explained twice; the oldest answers give way."""
    asked: list[str] = []

    def explain(version: str, text: str, head: Head) -> Why:
        asked.append(f"{version} {text} {head}")
        return why([])

    found = Explanations(explain, most=2)
    for version, text, head in (
        ("m1", "a", "topic"),
        ("m1", "a", "topic"),
        ("m2", "a", "topic"),
        ("m1", "b", "topic"),
    ):
        found.of(version, text, head)  # type: ignore[arg-type]
    found.of("m1", "a", "topic")
    assert asked == ["m1 a topic", "m2 a topic", "m1 b topic", "m1 a topic"]


def test_words_are_shaded_by_strength() -> None:
    """The strongest is darkest, the faint ones are plain, and all of the text is there."""
    found = shaded(TEXT, why([Word(9, 11, 1.0), Word(0, 2, -0.5), Word(3, 5, 0.2), Word(6, 7, 0.01)]))
    assert "".join(one.text for one in found) == TEXT
    assert [(one.text, one.shade) for one in found if one.shade] == [
        ("热情", "against-2"),
        ("等了", "for-1"),
        ("太差", "for-3"),
    ]


def test_words_that_overlap_or_say_nothing_break_nothing() -> None:
    """A model's words are not trusted to be in order and apart."""
    for words in ([], [Word(0, 4, 0.0)], [Word(0, 5, 1.0), Word(2, 7, 1.0)], [Word(0, len(TEXT), 1.0)]):
        assert "".join(one.text for one in shaded(TEXT, why(words))) == TEXT
    pro, contra = strongest(TEXT, why([Word(0, 2, -0.5), Word(9, 11, 1.0)]))
    assert (pro, contra) == ([("太差", 1.0)], [("热情", -0.5)])
