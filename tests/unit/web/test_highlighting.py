"""Watchlist words in a text: every character once, marked where it belongs."""

from core.watchlists import Span
from web.highlighting import MOST_MARKS, Piece, pieces


def test_pieces_are_the_text() -> None:
    """Overlapping mentions of several watchlists are cut where they begin and end."""
    found = {"苹果": [Span(1, 3)], "手机": [Span(2, 5), Span(6, 7)]}
    assert pieces("一苹果手机二机", found, 0, 7) == [
        Piece("一"),
        Piece("苹", "苹果"),
        Piece("果", "苹果, 手机"),
        Piece("手机", "手机"),
        Piece("二"),
        Piece("机", "手机"),
    ]


def test_a_part_has_its_part_of_a_mention() -> None:
    """A mention that reaches from the title into the text is marked in both."""
    found = {"a": [Span(1, 4)]}
    assert pieces("012345", found, 0, 2) == [Piece("0"), Piece("1", "a")]
    assert pieces("012345", found, 2, 6) == [Piece("23", "a"), Piece("45")]
    assert pieces("012345", found, 5, 6) == [Piece("5")]
    assert pieces("", {}, 0, 0) == []


def test_endless_mentions_make_no_endless_page() -> None:
    """A text that repeats a word ten thousand times is marked where it begins, and whole."""
    text = "果x" * 10_000
    made = pieces(text, {"a": [Span(2 * nth, 2 * nth + 1) for nth in range(10_000)]}, 0, len(text))
    assert len(made) == 2 * MOST_MARKS
    assert "".join(piece.text for piece in made) == text
