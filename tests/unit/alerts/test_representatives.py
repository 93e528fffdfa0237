"""A few documents that cover a surge."""

from datetime import UTC, datetime

from alerts.reasons.representatives import Candidate, Reason, choose

AT = datetime(2026, 3, 10, tzinfo=UTC)


def candidate(key: str, score: float, *features: tuple[Reason, str], begins: str | None = None) -> Candidate:
    return Candidate(key, AT, begins or key, features, score)


def test_each_choice_covers_what_no_other_does() -> None:
    """What most say first, then another source, however high other texts score."""
    weights: dict[tuple[Reason, str], int] = {("term", "刹车"): 40, ("source", "forum"): 50, ("source", "news"): 10}
    found = choose(
        [
            candidate("a", 0.99, ("source", "forum")),
            candidate("b", 0.98, ("source", "forum")),
            candidate("c", 0.70, ("term", "刹车"), ("source", "forum")),
            candidate("d", 0.60, ("source", "news")),
        ],
        weights,
    )
    assert [one.id for one, _ in found] == ["c", "d", "a"]
    assert [reason["by"] for _, reason in found] == ["term", "source", "score"]
    assert found[0][1] == {"by": "term", "name": "刹车", "negative": 40}


def test_texts_that_begin_alike_are_one() -> None:
    """Three people who write the same do not fill the list."""
    found = choose([candidate(key, 0.9, begins="支持") for key in "abc"] + [candidate("d", 0.1)], {})
    assert [one.id for one, _ in found] == ["c", "d"]
