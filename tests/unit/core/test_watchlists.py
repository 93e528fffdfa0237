from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ConfigError
from core.folding import fold, is_word
from core.watchlists import Span, Watchlist, Watchlists, load_watchlists


def found(text: str, *words: str) -> list[str]:
    """What of `text` counts as a mention of one watchlist with these words."""
    spans = Watchlists([Watchlist("w", words)]).find(text).get("w", [])
    return [text[span.start : span.end] for span in spans]


@pytest.mark.parametrize(
    ("text", "word", "mentions"),
    [
        ("training maintains fair", "AI", []),
        ("AI, (AI) and ai-driven", "AI", ["AI", "AI", "ai"]),
        ("中国AI公司", "AI", ["AI"]),
        ("中国ＡＩ公司", "ai", ["ＡＩ"]),
        ("AI2 is no AI_lab", "AI", []),
        ("Élan and ÉLAN, not Élang", "élan", ["Élan", "ÉLAN"]),
        ("E\u0301lan", "élan", ["E\u0301lan"]),
        ("caf\u0065\u0301 au lait", "cafe", []),
        ("C++ or c", "C++", ["C++"]),
        ("15G and 5G", "5G", ["5G"]),
        ("삼성이 발표", "삼성", ["삼성"]),
        ("STRASSE Straße", "straße", ["STRASSE", "Straße"]),
        ("Acme\n  Corp.", "acme corp", ["Acme\n  Corp"]),
    ],
)
def test_words_end_where_words_end(text: str, word: str, mentions: list[str]) -> None:
    """A word of a script with spaces is found whole, in any case, width and accent form; others anywhere."""
    assert found(text, word) == mentions


def test_longest_word_counts() -> None:
    """Words of one watchlist do not count twice for one place: leftmost first, then longest."""
    assert found("中国平安银行和平安", "平安", "平安银行", "中国平安") == ["中国平安", "平安"]
    assert found("苹果公司与苹果", "苹果", "苹果公司") == ["苹果公司", "苹果"]


def test_a_shorter_word_counts_where_the_longer_is_cut() -> None:
    """A longer word that fails its boundary does not hide a shorter one that stands there."""
    assert found("Acme Corporate", "Acme", "Acme Corp") == ["Acme"]


def test_watchlists_do_not_disturb_each_other() -> None:
    """What one watchlist finds does not depend on what others look for; the same word may stand in two."""
    watchlists = Watchlists(
        [Watchlist("phones", ("苹果手机",)), Watchlist("fruit", ("苹果",)), Watchlist("x", ("苹果",))]
    )
    assert watchlists.find("买苹果手机") == {"phones": [Span(1, 5)], "fruit": [Span(1, 3)], "x": [Span(1, 3)]}


def test_two_words_inside_one_character_are_one_mention() -> None:
    """`㍿` unfolds to four characters; both words in it are the one place of the original."""
    assert found("㍿アップル", "株式", "会社") == ["㍿"]


def test_nothing_to_watch_finds_nothing() -> None:
    """Without a file there is nothing to find."""
    assert load_watchlists(None).find("anything") == {}


ALPHABET = "abAB 苹果公司ßé…ｶﾞ"
WORDS = st.text(ALPHABET, min_size=1, max_size=4).filter(lambda word: fold(word).text.strip() != "")
LISTS = st.lists(st.lists(WORDS, min_size=1, max_size=4), min_size=1, max_size=4)


def scan(text: str, words: list[str]) -> list[Span]:
    """The definition, place by place."""
    folded = fold(text)
    names = sorted({fold(word).text.strip() for word in words}, key=lambda name: -len(name))
    spans: list[Span] = []

    def is_inside(at: int) -> bool:
        return 0 < at < len(folded.text) and is_word(folded.text[at - 1]) and is_word(folded.text[at])

    for start in range(len(folded.text)):
        for name in names:
            end = start + len(name)
            if folded.text.startswith(name, start) and not is_inside(start) and not is_inside(end):
                span = Span(folded.starts[start], folded.ends[end - 1])
                if spans and spans[-1].start == span.start:
                    spans[-1] = Span(span.start, max(span.end, spans[-1].end))
                elif not spans or span.start >= spans[-1].end:
                    spans.append(span)
    return spans


@given(LISTS, st.text(ALPHABET, max_size=30))
def test_equal_to_a_scan_of_every_place(lists: list[list[str]], text: str) -> None:
    """One automaton over all watchlists finds what trying every word at every place finds."""
    watchlists = Watchlists(Watchlist(str(n), tuple(words)) for n, words in enumerate(lists))
    expected = {str(n): spans for n, words in enumerate(lists) if (spans := scan(text, words))}
    assert watchlists.find(text) == expected


def written(tmp_path: Path, content: str) -> Path:
    path = tmp_path / "watch.yaml"
    path.write_text(content, encoding="utf-8")
    return path


def test_a_file_is_read(tmp_path: Path) -> None:
    """The smallest useful file."""
    path = written(tmp_path, "watchlists:\n  - name: 苹果\n    any: [苹果公司, Apple]\n")
    assert load_watchlists(path).find("Apple") == {"苹果": [Span(0, 5)]}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("watchlists:\n- name: a\n  any: [x]\n  must: [y]\n", ':4: watchlists[0] ("a") must: not understood'),
        ("watchlists:\n- name: a\n  any: [x]\n  must: [y]\n", "understood are: name, any"),
        ("lists: []\n", ":1: lists: not understood; understood are: watchlists"),
        ("watchlists:\n- name: a\n", ':2: watchlists[0] ("a") any: Field required'),
        ("watchlists:\n- name: a\n  any: []\n", ':3: watchlists[0] ("a") any: '),
        ("watchlists:\n- name: a\n  any: ['ok', ' ']\n", ':3: watchlists[0] ("a") any[1]: '),
        ("watchlists:\n- name: a\n  any:\n  - 'ok'\n  - 360\n", ':5: watchlists[0] ("a") any[1]: 360 is no text'),
        (
            "watchlists:\n- name: a\n  any: [x]\n- name: a\n  any: [y]\n",
            ':4: watchlists[1] ("a") name: there is another',
        ),
        ("watchlists: [\n", ":2: "),
        ("", ":1: the file has to begin with `watchlists:`"),
        ("- a\n", ":1: the file has to begin with `watchlists:`"),
    ],
)
def test_a_bad_file_is_named_with_line_entry_and_field(tmp_path: Path, content: str, says: str) -> None:
    """Whoever wrote the file finds the place, and what would be understood there."""
    path = written(tmp_path, content)
    with pytest.raises(ConfigError) as error:
        load_watchlists(path)
    assert f"{path}:" in str(error.value)
    assert says in str(error.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """A wrong path in the settings stops the start."""
    with pytest.raises(ConfigError, match=r"nowhere\.yaml cannot be read"):
        load_watchlists(tmp_path / "nowhere.yaml")
