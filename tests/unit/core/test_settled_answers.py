"""What several people's answers to one question come to."""

from datetime import UTC, datetime, timedelta

import pytest

from core.settled_answers import Answer, settle

MAY = datetime(2026, 5, 1, tzinfo=UTC)


def answers(*said: str) -> list[Answer]:
    """`li:sports` is an answer, `!li:sports` an adjudication; one a day, in this order."""
    made = []
    for nth, one in enumerate(said):
        name, _, answer = one.lstrip("!").partition(":")
        made.append(Answer(name, answer, MAY + timedelta(days=nth), nth, one.startswith("!")))
    return made


@pytest.mark.parametrize(
    ("said", "answer", "by"),
    [
        (["li:sports"], "sports", ("li",)),
        (["li:sports", "li:health"], "health", ("li",)),
        (["li:sports", "wang:sports", "mei:health"], "sports", ("li", "wang")),
        (["li:sports", "li:health", "wang:health"], "health", ("li", "wang")),
        (["li:sports", "wang:sports", "mei:health", "zhao:game"], "sports", ("li", "wang")),
        (["li:sports", "wang:health", "!chen:game"], "game", ("chen",)),
        (["!chen:game", "li:sports", "wang:sports"], "game", ("chen",)),
        (["!chen:game", "!li:health"], "health", ("li",)),
    ],
)
def test_what_counts(said: list[str], answer: str, by: tuple[str, ...]) -> None:
    """One voice for each annotator, the newest; most voices win, and an adjudication over all of them."""
    found = settle(answers(*said))
    assert found is not None
    assert (found.answer, found.by) == (answer, by)


@pytest.mark.parametrize("said", [[], ["li:sports", "wang:health"], ["a:x", "b:x", "c:y", "d:y", "e:z"]])
def test_a_tie_settles_nothing(said: list[str]) -> None:
    """Nobody's answer is taken by accident of order."""
    assert settle(answers(*said)) is None
    assert settle(reversed(answers(*said))) is None


def test_the_order_of_arrival_does_not_matter() -> None:
    """An old answer that arrives late does not win over a newer one of the same person."""
    late, new = Answer("li", "sports", MAY, 9), Answer("li", "health", MAY + timedelta(days=1), 1)
    found = settle([new, late])
    assert found is not None
    assert (found.answer, found.at) == ("health", new.labelled_at)
