import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.folding import fold, is_word
from core.watchlist_queries import is_true, parse_query
from core.watchlists import Span, Watchlist, Watchlists


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
    """Without watchlists there is nothing to find."""
    assert Watchlists().find("anything") == {}


def matches(text: str, watchlist: Watchlist, source: str = "", lang: str = "") -> list[str] | None:
    """The mentions in `text`, None where it does not match."""
    spans = Watchlists([watchlist]).find(text, source=source, lang=lang).get(watchlist.name)
    return None if spans is None else [text[span.start : span.end] for span in spans]


APPLE = Watchlist("apple", any=("苹果", "Apple"), exclude=("苹果汁", "pine apple", "战争"))


@pytest.mark.parametrize(
    ("text", "mentions"),
    [
        ("苹果汁好喝", None),
        ("苹果发布会上提供苹果汁", ["苹果"]),
        ("苹果汁赞助苹果发布会", ["苹果"]),
        ("苹果打响战争", None),
        ("战争", None),
        ("pine apple and Apple", ["Apple"]),
        ("pine apple", None),
        ("苹果和pine apple", ["苹果"]),
        ("蘋果汁", None),
        ("蘋果發佈會", ["蘋果"]),
    ],
)
def test_a_word_inside_an_excluded_phrase_does_not_count(text: str, mentions: list[str] | None) -> None:
    """Such a phrase hides the word in it and no other; one without a word in it keeps the whole text out."""
    assert matches(text, APPLE) == mentions


@pytest.mark.parametrize(
    ("text", "mentions"),
    [("苹果汁公司上市", ["苹果汁公司"]), ("苹果汁公司卖苹果汁", ["苹果汁公司"]), ("苹果汁", None)],
)
def test_a_longer_name_is_not_hidden_by_a_phrase_within_it(text: str, mentions: list[str] | None) -> None:
    """What sticks out of an excluded phrase is free, and is the mention."""
    assert matches(text, Watchlist("w", any=("苹果", "苹果汁公司"), exclude=("苹果汁",))) == mentions


def test_an_excluded_phrase_that_only_overlaps_a_word_keeps_the_text_out() -> None:
    """It has no whole word in it, so it stands by itself."""
    assert matches("华为手机壳", Watchlist("w", any=("华为手机",), exclude=("手机壳",))) is None


@pytest.mark.parametrize(
    ("watchlist", "yes", "no"),
    [
        (Watchlist("w", any=("苹果",), must=("发布", "手机")), "苹果发布手机", "苹果发布"),
        (Watchlist("w", any=("AI",), must=("chip",)), "an AI chip", "an AI chipset"),
        (Watchlist("w", must=("油价", "上涨")), "油价又上涨", "油价又跌"),
        (Watchlist("w", query="苹果 AND (发布 OR 新品) NOT 苹果汁"), "苹果新品", "苹果新品苹果汁"),
        (Watchlist("w", any=("苹果",), query="非 苹果汁"), "苹果", "苹果和苹果汁"),
        (Watchlist("w", any=("苹果",), query='"Tim Cook" 或 库克'), "苹果 tim  cook", "苹果 Tim"),
        (Watchlist("w", must=("苹果",), exclude=("苹果汁",)), "苹果配苹果汁", "苹果汁"),
    ],
)
def test_conditions_hold_beside_the_words(watchlist: Watchlist, yes: str, no: str) -> None:
    """Required words, the query and exclusions, alone and together."""
    assert matches(yes, watchlist) is not None
    assert matches(no, watchlist) is None


def test_without_any_the_required_words_are_the_mentions() -> None:
    """Somebody has to be spoken of: what the query asks for, not what it forbids."""
    assert matches("油价上涨", Watchlist("w", must=("油价",), query="上涨 NOT 下跌")) == ["油价", "上涨"]


@pytest.mark.parametrize(
    ("watchlist", "source", "lang", "is_matched"),
    [
        (Watchlist("w", any=("x",), sources=("Weibo",)), "weibo", "zh", True),
        (Watchlist("w", any=("x",), sources=("weibo",)), "weibo2", "zh", False),
        (Watchlist("w", any=("x",), langs=("zh",)), "s", "zh-TW", True),
        (Watchlist("w", any=("x",), langs=("zh-TW",)), "s", "zh", False),
        (Watchlist("w", any=("x",), langs=("en", "zh")), "s", "ZH", True),
        (Watchlist("w", any=("x",), sources=("s",), langs=("en",)), "s", "zh", False),
    ],
)
def test_filters_go_by_the_document(watchlist: Watchlist, source: str, lang: str, is_matched: bool) -> None:
    """Source and language as the document names them, in any case."""
    assert (matches("x", watchlist, source, lang) is not None) == is_matched


ALPHABET = "abAB 苹果蘋公司ßé…ｶﾞ"
WORDS = st.text(ALPHABET, min_size=1, max_size=4).filter(lambda word: fold(word).text.strip() != "")
LISTS = st.lists(st.lists(WORDS, min_size=1, max_size=4), min_size=1, max_size=4)
FEW = st.lists(st.text("ab 苹果", min_size=1, max_size=3).filter(str.strip), max_size=3).map(tuple)
QUERIES = st.recursive(
    st.sampled_from(["a", "b", "ab", "苹", "果", '"苹 果"']),
    lambda parts: st.one_of(
        st.tuples(parts, st.sampled_from([" AND ", " OR ", " 与 ", " 或 ", " "]), parts).map(
            lambda found: f"({''.join(found)})"
        ),
        parts.map(lambda part: f"(NOT {part})"),
    ),
    max_leaves=4,
)


def occurrences(text: str, word: str) -> list[Span]:
    """Every place where a folded text has a folded word, whole."""

    def is_inside(at: int) -> bool:
        return 0 < at < len(text) and is_word(text[at - 1]) and is_word(text[at])

    ends = [(start, start + len(word)) for start in range(len(text)) if text.startswith(word, start)]
    return [Span(start, end) for start, end in ends if not is_inside(start) and not is_inside(end)]


def scan(text: str, watchlist: Watchlist) -> list[Span]:
    """The definition, word by word and place by place: the mentions, none where there is no match."""
    folded = fold(text)

    def found(words: tuple[str, ...]) -> list[Span]:
        return [span for word in words for span in occurrences(folded.text, fold(word).text.strip())]

    subject, hiding = found(watchlist.any), found(watchlist.exclude)
    free = [a for a in subject if not any(e.start <= a.start and a.end <= e.end for e in hiding)]
    stands_alone = any(not any(e.start <= a.start and a.end <= e.end for a in subject) for e in hiding)
    if stands_alone or not all(found((word,)) for word in watchlist.must):
        return []
    if watchlist.query and not is_true(parse_query(watchlist.query), Occurring(folded.text)):
        return []
    chosen: list[Span] = []
    for span in sorted(
        (Span(folded.starts[a.start], folded.ends[a.end - 1]) for a in free), key=lambda a: (a.start, -a.end)
    ):
        if not chosen or span.start >= chosen[-1].end:
            chosen.append(span)
    return chosen


class Occurring:
    """The folded words that occur in a folded text."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __contains__(self, word: object) -> bool:
        return bool(occurrences(self._text, str(word)))


@given(LISTS, st.text(ALPHABET, max_size=30))
def test_equal_to_a_scan_of_every_place(lists: list[list[str]], text: str) -> None:
    """One automaton over all watchlists finds what trying every word at every place finds."""
    watchlists = [Watchlist(str(n), tuple(words)) for n, words in enumerate(lists)]
    expected = {watchlist.name: spans for watchlist in watchlists if (spans := scan(text, watchlist))}
    assert Watchlists(watchlists).find(text) == expected


@given(
    st.lists(st.tuples(FEW.filter(bool), FEW, FEW, QUERIES | st.just("")), min_size=1, max_size=4),
    st.text("ab 苹果", max_size=14),
)
def test_conditions_are_their_definition(
    entries: list[tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...], str]], text: str
) -> None:
    """Required, excluded and hidden words, and the query, decide as a scan by the written rule does."""
    watchlists = [Watchlist(str(n), *entry[:3], query=entry[3]) for n, entry in enumerate(entries)]
    expected = {watchlist.name: spans for watchlist in watchlists if (spans := scan(text, watchlist))}
    assert Watchlists(watchlists).find(text) == expected


def test_a_text_made_of_hits_takes_no_longer_than_its_length() -> None:
    """Ten thousand hidden words among ten thousand phrases are told apart without trying each pair."""
    text = "苹果汁 苹果 " * 10_000
    started = time.process_time()
    assert len(matches(text, Watchlist("w", any=("苹果",), exclude=("苹果汁",))) or ()) == 10_000
    assert time.process_time() - started < 2
