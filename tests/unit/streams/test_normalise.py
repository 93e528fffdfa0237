"""What people wrote, cleaned: golden files, and what holds for any text."""

import json
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.records import Document
from streams.classify import document_text
from streams.intake import content_hash, decode
from streams.normalise import normalise
from streams.quotes import split
from tests.support.records import LIMITS, raw

GOLDEN = Path(__file__).parent / "golden"
CASES = [case for file in sorted(GOLDEN.glob("*.json")) for case in json.loads(file.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("case", CASES, ids=[case["why"] for case in CASES])
def test_golden(case: dict[str, str]) -> None:
    """Raw texts become what the golden files say: own words, and what is quoted."""
    assert split(normalise(case["raw"])) == (case["text"], case["quoted"])


PIECES = [
    *"<>&;\"'= /!-\n\r\u200d\u200c\u200b\u202e\u00a0\u2028",
    *["b", "lt", "gt", "amp", "#38", "#x26", "#45", "semi", "nbsp", "script", "style", "p", "!--", "--", "-->"],
    *["<!--", "<b>", "</b>", "<script>", "</script>", "<br>"],
    *["img alt=", "a href=", "&lt;", "&amp;", "&#8205;", "👩", "\U0001f3f4", "\U000e0067", "\U000e007f", "é", "中"],
    *["//@", "RT @", "回复@", "a:", "转发微博", "哈哈", "> ", "@b", "http://x "],
]
TEXTS = st.lists(st.sampled_from(PIECES), max_size=16).map("".join) | st.text(max_size=30)


@settings(max_examples=1000)
@given(TEXTS)
def test_twice_is_once(text: str) -> None:
    """A document that was imported from a file is normalised on both ways and stays the same."""
    once = normalise(text)
    assert normalise(once) == once
    parts = split(once)
    again = split(parts.text)
    assert again.text == parts.text
    assert again.quoted in (None, parts.quoted)


@given(TEXTS)
def test_a_text_with_words_never_becomes_empty(text: str) -> None:
    """Letters outside of anything that may be markup are kept, whatever stands around them."""
    words = f"word {text.replace('<', '').replace('&', '')}"
    assert "word" in split(normalise(words)).text


@pytest.mark.parametrize(
    "piece",
    [
        *"<&>;'",
        *["<a ", '<b x="', "<a x=1 ", "&#", "&&&#35;35;", "<script>", "<!--", "&lt;", "--&gt;", "&lt;!--", "&amp;"],
        *["&semi;", "👩\u200d", "\u200d", "> ", "\n> a", "//@a:", "回复@", "RT@", "@a", "<b>", " \n"],
        "\U0001f3f4\U000e0067",
    ],
)
def test_time_grows_with_the_text_alone(piece: str) -> None:
    """No text costs more than its length: 50,000 characters of anything take a fraction of a second."""
    began = time.process_time()
    split(normalise(piece * (50_000 // len(piece))))
    assert time.process_time() - began < 0.5


def test_the_classifier_reads_own_words_then_the_quoted_ones() -> None:
    """What a post quotes is judged with it, after its own words and never twice."""
    both = Document(title="标题", text="说得好", quoted_text="@甲:真差")
    assert document_text(both) == "标题\n说得好\n@甲:真差"
    assert document_text(Document(text="转发微博//@甲:真差", quoted_text="@甲:真差")) == "转发微博//@甲:真差"


def test_intake_takes_a_post_apart_and_keeps_what_was_taken_apart() -> None:
    """A document says the same after a second way through intake, as from a file by way of the raw topic."""
    first = decode(raw({"text": "说得太好了//@小明:服务<b>真差</b>", "url": "https://x.org/a?utm_source=b"}), LIMITS)
    assert (first.text, first.quoted_text, first.url) == ("说得太好了", "@小明:服务真差", "https://x.org/a")
    fields = {name: getattr(first, name) for name in ("id", "text", "quoted_text", "url", "former_id")}
    again = decode(raw(fields), LIMITS)
    assert (again, content_hash(again)) == (first, content_hash(first))


def test_a_document_that_quotes_nothing_keeps_its_hash() -> None:
    """Documents stored before there were quoted words are repeats when they come again."""
    document = Document(id="a", text="x", lang="en")
    assert content_hash(document).hex().startswith("d13fc985")


def test_markup_alone_is_no_text() -> None:
    """A page without a word has the fate of an empty text."""
    with pytest.raises(Exception, match="empty_text"):
        decode(raw({"text": "<br><img src=x>"}), LIMITS)


def test_new_likes_ask_the_classifier_nothing_new() -> None:
    """What the classifier reads does not depend on counts, so a revision of these is answered from its cache."""
    texts = {document_text(decode(raw({"text": "x", "metrics": {"likes": likes}}), LIMITS)) for likes in (1, 5)}
    assert texts == {"x"}
