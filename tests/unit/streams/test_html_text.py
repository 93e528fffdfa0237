"""HTML to what a person reads of it."""

import time

import pytest

from streams.sources.articles import article_text
from streams.sources.fetching import Fetched
from streams.sources.html_text import text_of


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("plain words", "plain words"),
        ("<p>one</p><p>two<br>three</p>", "one\ntwo\nthree"),
        ("a<b>b</b>c &amp; d&nbsp;e &lt;3 😀", "abc & d e <3 😀"),
        ("<style>p{}</style>x<script>alert('<p>')</script>y<!-- z -->", "xy"),
        ("<ul><li>一</li><li>二</li></ul>尾", "一\n二\n尾"),
        ("<img src=x onerror=alert(1)>x", "x"),
        ('<?xml version="1.0" encoding="gbk"?><p>中文</p>', "中文"),
        ("never <b>closed", "never closed"),
        ("", ""),
        ("  \n ", ""),
    ],
)
def test_words_stay_and_markup_goes(html: str, text: str) -> None:
    """One line for each block, no scripts, entities as what they mean."""
    assert text_of(html) == text


@pytest.mark.parametrize(
    "piece", ["<div>", "<", "</p>", "<!--", "<a b='", "&#", "&#1;<p>", "\x00", "<script>", "<table><tr>", "\ud800"]
)
def test_any_markup_is_read_in_time(piece: str) -> None:
    """300 kB of anything, nested as deep as it may be, for the summary and for the article."""
    html = "before " + piece * (300_000 // len(piece)) + " after"
    began = time.perf_counter()
    assert isinstance(text_of(html), str)
    assert isinstance(article_text(Fetched("https://e.example/", html.encode("utf-8", "replace"))), str)
    assert time.perf_counter() - began < 20
