"""What a query says, and which texts are what it asks for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.folding import fold
from core.queries import MAX_CHARS, And, Not, Or, Phrase, QueryError, Word, matches, parse_query

APPLE, PHONE, PEAR = Word("苹果"), Word("手机"), Word("梨")


@pytest.mark.parametrize(
    ("query", "tree"),
    [
        ("苹果", APPLE),
        ("苹果 手机", And((APPLE, PHONE))),
        ("苹果 AND 手机 OR 梨", Or((And((APPLE, PHONE)), PEAR))),
        ("苹果 且 手机 或 梨", Or((And((APPLE, PHONE)), PEAR))),
        ("苹果 不含 （手机 或 梨）", And((APPLE, Not(Or((PHONE, PEAR)))))),
        ("苹果 -手机", And((APPLE, Not(PHONE)))),
        ("+苹果 NOT 手机", And((APPLE, Not(PHONE)))),
        ("苹果 手机 OR 梨", And((APPLE, Or((PHONE, PEAR))))),
        ('"New  York"', Phrase("new york")),
        ("“纽约 时报”", Phrase("纽约 时报")),
        ("ＡＩ", Word("ai")),
        ("Auto*", Word("auto", is_prefix=True)),
        ("和平", Word("和平")),
        (
            "C++ a:b 10:30 [x TO y~ \\",
            And(tuple(Word(one) for one in ("c++", "a:b", "10:30", "[x", "to", "y~", "\\"))),
        ),
        ('苹果"手机"', And((APPLE, Phrase("手机")))),
        ('"a\\"', Phrase("a\\")),
    ],
)
def test_queries_are_read_as_people_write_them(query: str, tree: object) -> None:
    """Operators in both languages and widths; what else means something to Lucene is part of a word."""
    assert parse_query(query) == tree


@pytest.mark.parametrize(
    ("query", "position"),
    [
        ("", None),
        ("   ", None),
        ("苹果 AND", 6),
        ("AND OR NOT", 0),
        ("苹果 ) 手机", 3),
        ("(苹果", 3),
        ('苹果 "手机', 3),
        ("苹果 或 或 手机", 5),
        ("()", 1),
        ("*", 0),
        ("苹果 f*o", 4),
        ("a\x00b", 1),
        ('""', 0),
        ("(" * 21 + "a" + ")" * 21, 20),
        ("a" * (MAX_CHARS + 1), None),
        (" ".join("abcdefghij" * 6), None),
    ],
)
def test_a_wrong_query_names_the_place(query: str, position: int | None) -> None:
    """The message says at which character, counted from 1, reading stopped."""
    with pytest.raises(QueryError) as caught:
        parse_query(query)
    assert caught.value.position == position
    if position is not None:
        assert f"at character {position + 1}" in caught.value.message


@given(st.text(max_size=300) | st.text(alphabet='()"*-+ \\:~^[]/aA且或NOT苹', max_size=120))
def test_any_text_is_a_query_or_a_query_error(query: str) -> None:
    """Whatever is typed, nothing else is raised."""
    try:
        parse_query(query)
    except QueryError:
        return


@pytest.mark.parametrize(
    ("query", "text", "does"),
    [
        ("AI", "training in AI", True),
        ("AI", "training", False),
        ("AI", "中国AI公司", True),
        ("train*", "Training", True),
        ("rain*", "Training", False),
        ("5G手机", "新５Ｇ手机来了", True),
        ("5G手机", "15G手机", False),
        ("straße", "STRASSE", True),
        ("café", "cafe\u0301s", False),
        ('"new york"', "New\u3000York", True),
        ('"new york"', "new or york", False),
        ("😀", "好😀", True),
        ("苹果 NOT 手机", "苹果手机", False),
        ("苹果 OR 手机", "手机", True),
        ("???", "what???", True),
    ],
)
def test_words_are_whole_and_folded(query: str, text: str, does: bool) -> None:
    """Latin words count whole, Chinese ones anywhere; case, width and white space make no difference."""
    assert matches(parse_query(query), fold(text).text) is does
