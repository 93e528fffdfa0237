import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.watchlist_queries import QueryError, is_true, parse_query, wanted_words, words_of


@pytest.mark.parametrize(
    ("query", "yes", "no"),
    [
        ("a AND b", ["a", "b"], ["a"]),
        ("a OR b", ["b"], ["c"]),
        ("a b", ["a", "b"], ["b"]),
        ("a NOT b", ["a"], ["a", "b"]),
        ("+a -b", ["a"], ["a", "b"]),
        ("a OR b AND c", ["a"], ["b"]),
        ("(a OR b) AND c", ["b", "c"], ["a"]),
        ("a OR b c", ["a", "c"], ["a"]),
        ("苹果 与 发布", ["苹果", "发布"], ["苹果"]),
        ("苹果 和 发布", ["苹果", "发布"], ["苹果"]),
        ("苹果 且 发布", ["苹果", "发布"], ["苹果"]),
        ("苹果 或 发布", ["发布"], ["果"]),
        ("苹果 非 发布", ["苹果"], ["苹果", "发布"]),
        ("苹果 不含（发布 或 新品）", ["苹果"], ["苹果", "新品"]),
        ("苹果　与　发布", ["苹果", "发布"], ["苹果"]),
        ("和平 非洲", ["和平", "非洲"], ["平"]),
        ("与(a)或(b)", [], []),
        ("“苹果 或 梨”", ["苹果 或 梨"], ["苹果"]),
        ("「或」 與 『非』", ["或", "非"], ["或"]),
        ('"a AND b"', ["a and b"], ["a", "b"]),
        ('"say \\"a\\""', ['say "a"'], ["a"]),
        ("C++ AND a-b", ["c++", "a-b"], ["c", "a", "b"]),
        ("Ａ AND 蘋果", ["a", "苹果"], ["A", "蘋果"]),
    ],
)
def test_a_query_means_what_it_says(query: str, yes: list[str], no: list[str]) -> None:
    """Operators in both languages, signs, parentheses and phrases; characters within words are no operators."""
    if not yes:
        with pytest.raises(QueryError):
            parse_query(query)
        return
    parsed = parse_query(query)
    assert is_true(parsed, yes)
    assert not is_true(parsed, no)


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("title:a", "colon"),
        ("12:30", "in quotes"),
        ("苹*", "in quotes"),
        ('"a b"~3', "~ is not understood"),
        ("a~", "~ is not understood"),
        ("a^2", "^ is not understood"),
        ("[a TO b]", "ranges"),
        ("/a/", "regular expressions"),
        ("a and b", "AND in capitals"),
        ("a AND", "not understood"),
        ("(a", "not understood"),
        ('"a', "never closed"),
        ("“a", "never closed"),
        ('""', "no word"),
        ("(" * 40 + "a" + ")" * 40, "within each other"),
        ("a " * 3000, "characters"),
    ],
)
def test_what_is_not_understood_is_said(query: str, says: str) -> None:
    """The message names what to change."""
    with pytest.raises(QueryError, match=r".") as error:
        parse_query(query)
    assert says in str(error.value)


@given(st.text(st.sampled_from("ab苹果与和或非不含（）()“”「」\"'\\ +-!~^:*?[]{}/<>=&|ANDORT\n\x00"), max_size=20))
def test_no_text_breaks_the_parser(text: str) -> None:
    """Whatever somebody types is a query or refused in words."""
    try:
        query = parse_query(text)
    except QueryError:
        return
    assert set(wanted_words(query)) <= set(words_of(query))
    assert all(words_of(query))


def test_words_under_two_negations_are_wanted() -> None:
    """What can make a query true is what somebody has to look for."""
    assert list(wanted_words(parse_query("a AND NOT (b OR NOT c)"))) == ["a", "c"]
