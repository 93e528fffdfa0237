"""Where a query's words stand, for marking them."""

import pytest

from core.folding import fold
from core.queries import QueryError, parse_query, places


@pytest.mark.parametrize(
    ("query", "body", "marked"),
    [
        ("奶茶 过期", "奶茶过期，奶茶", ["奶茶", "奶茶", "过期"]),
        ("AI", "training AI 中国AI公司", ["AI", "AI"]),
        ("refund* NOT 退款", "Refunds, no 退款", ["Refund"]),
        ('"price cut"', "a Price  cut now", ["Price  cut"]),
        ("５Ｇ OR ㈱", "5g and (株)", ["5g", "(株)"]),
        ("NOT 奶茶", "咖啡", []),
    ],
)
def test_marks_stand_on_the_text_as_it_came(query: str, body: str, marked: list[str]) -> None:
    """Folding changes lengths; what a query excludes is not marked."""
    folded = fold(body, simplify=False)
    found = [body[folded.starts[a] : folded.ends[b - 1]] for a, b in places(parse_query(query), folded.text)]
    assert sorted(found) == sorted(marked)


@pytest.mark.parametrize(
    ("query", "trouble", "position"),
    [("a AND", "early", 5), ('say "x', "quote", 4), (")", "stray", 0), ("*", "star", 0), (" ", "empty", None)],
)
def test_a_refusal_names_what_is_wrong_and_where(query: str, trouble: str, position: int | None) -> None:
    """A page can say it in another language, and point at the place."""
    with pytest.raises(QueryError) as caught:
        parse_query(query)
    assert (caught.value.trouble, caught.value.position) == (trouble, position)
