"""Feeds, good and bad, as raw documents."""

import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.sources.feed_entries import Entry, Traits, canonical_url, parse_feed
from streams.sources.fetching import Fetched
from streams.sources.refusals import FetchError
from tests.support.misbehaving_server import item, rss

NOW = datetime(2026, 3, 3, tzinfo=UTC)
URL = "https://news.example.com/feed.xml"
ATOM = """<?xml version="1.0"?><feed xmlns="http://www.w3.org/2005/Atom" xml:lang="zh-CN" xml:base="https://a.example/x/">
<title>t</title><entry><id>tag:a.example,2026:1</id><title type="html">A &amp;amp; B &lt;b&gt;now&lt;/b&gt;</title>
<link rel="alternate" href="p?utm_source=rss&amp;id=7"/><updated>2026-03-02T12:00:00+08:00</updated>
<author><name>王芳</name><email>w@example.com</email></author><summary>short</summary>
<content type="html">&lt;p&gt;第一段😀&lt;/p&gt;&lt;script&gt;alert(1)&lt;/script&gt;&lt;p&gt;second
&lt;br&gt;line&lt;/p&gt;</content>
</entry></feed>"""
RDF = """<?xml version="1.0"?><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"
 xmlns="http://purl.org/rss/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/">
<channel rdf:about="x"><title>t</title></channel>
<item rdf:about="https://r.example/1"><title>one</title><link>https://r.example/1</link>
<description>words</description><dc:date>2026-03-02T04:00:00Z</dc:date><dc:creator>Li</dc:creator></item></rdf:RDF>"""
OLD = """<!DOCTYPE rss PUBLIC "-//Netscape Communications//DTD RSS 0.91//EN"
 "http://127.0.0.1:1/rss-0.91.dtd"><rss version="0.91"><channel><title>t</title><item><title>old</title>
<link>https://o.example/1</link></item></channel></rss>"""


def entries(content: str | bytes, charset: str | None = None, **traits: Any) -> list[Entry]:
    return parsed(content, charset, **traits).entries


def parsed(content: str | bytes, charset: str | None = None, **traits: Any) -> Any:
    body = content.encode() if isinstance(content, str) else content
    fetched = Fetched(URL, body, "text/xml", charset)
    return parse_feed(fetched, Traits(URL, "news", **traits), now=NOW, zone=ZoneInfo("Asia/Shanghai"))


def test_atom_with_everything() -> None:
    """Text without markup, the longest that there is; the author without the address; the link made absolute."""
    [entry] = entries(ATOM)
    document = entry.document
    assert document.id == "news:tag:a.example,2026:1"
    assert document.title == "A & B now"
    assert document.text == "第一段😀\nsecond\nline"
    assert document.author == "王芳"
    assert document.url == entry.link == "https://a.example/x/p?id=7"
    assert document.published_at == "2026-03-02T04:00:00+00:00"
    assert document.lang == "zh"
    assert document.kind == "news"


def test_rdf_and_the_oldest_rss() -> None:
    """Formats of 1999 are still served; the DTD of one is not fetched."""
    [one], [old] = entries(RDF), entries(OLD)
    assert (one.document.text, one.document.author) == ("words", "Li")
    assert one.document.published_at == "2026-03-02T04:00:00+00:00"
    assert old.document.title == "old"


@pytest.mark.parametrize(("charset", "encoding"), [("gbk", "utf-8"), ("utf-8", "gb18030"), (None, "gb18030")])
def test_a_charset_that_lies_does_no_harm(charset: str | None, encoding: str) -> None:
    """GBK declared as UTF-8 and the other way round, in header and XML declaration."""
    title = "苹果公司发布新手机，价格上涨百分之十"
    [entry] = entries(rss(item(1, title)).encode(encoding), charset)
    assert entry.document.title == title


def test_ids_that_mean_something_only_in_their_feed_get_its_address() -> None:
    """Two feeds of one source may both count from 1; a guid that is an address is the same in both."""
    feed = rss(item(1, guid="17", link=""), item(2, guid="https://e.example/a-long-one"))
    [number, address] = [entry.document.id for entry in entries(feed)]
    other = parse_feed(
        Fetched("https://news.example.com/b", feed.encode()),
        Traits("https://news.example.com/b", "news"),
        now=NOW,
        zone=UTC,
    )
    assert number != other.entries[0].document.id
    assert address == other.entries[1].document.id == "news:https://e.example/a-long-one"


def test_entries_without_id_link_or_date() -> None:
    """An id comes from the link, else from the words, and is the same each time; a missing date stays missing."""
    feed = rss(
        item(1, "no id", guid=""), item(2, "nothing but words", guid="", link=""), "<item><guid>x</guid></item>"
    )
    found = entries(feed)
    assert [entry.document.id for entry in found] == [entry.document.id for entry in entries(feed)]
    assert found[0].document.id == "news:https://example.com/1"
    assert len(found) == 2  # the third says nothing at all
    assert all(entry.document.published_at is None for entry in found)


def test_dates_that_cannot_be_are_left_out() -> None:
    """Before 1970 and next year: the worker would refuse the whole document for them."""
    feed = rss(item(1, pubDate="Mon, 01 Mar 2027 12:00:00 GMT"), item(2, pubDate="1 Jan 0001 00:00:00 GMT"))
    assert [entry.document.published_at for entry in entries(feed)] == [None, None]


def test_the_mark_changes_with_the_entry_alone() -> None:
    """What is equal is not sent again; an edit or a new count of comments is."""
    slash = 'xmlns:slash="http://purl.org/rss/1.0/modules/slash/"'

    def mark(**fields: str) -> str:
        feed = rss(item(1, **fields)).replace('version="2.0"', f'version="2.0" {slash}')
        return entries(feed)[0].mark

    assert mark() == mark()
    assert len({mark(), mark(description="edited"), mark(**{"slash:comments": "4"})}) == 3


def test_a_repeated_id_is_one_entry() -> None:
    """Some feeds list a story twice."""
    assert len(entries(rss(item(1), item(1)))) == 1


def test_broken_xml_gives_what_can_be_read() -> None:
    """A bare &, a tag that is never closed, an end that is missing: the rest is reported, not lost."""
    feed = parsed(rss(item(1, "R&D <b>grows"), item(2)).removesuffix("</channel></rss>"))
    assert {entry.document.id for entry in feed.entries} == {
        "news:https://example.com/1",
        "news:https://example.com/2",
    }
    assert feed.problem


@pytest.mark.parametrize(
    "content", ["", "hello", "<html><body>Not found</body></html>", '{"a": 1}', b"\x89PNG\r\n" + bytes(50), "<a/>"]
)
def test_what_is_no_feed_is_said_so(content: str | bytes) -> None:
    """Error pages, JSON, pictures and nothing."""
    with pytest.raises(FetchError) as caught:
        entries(content)
    assert caught.value.reason == "not_a_feed"


def test_entities_read_no_files_and_do_not_explode() -> None:
    """External entities, a billion laughs, and one long entity used many times."""
    declared = '<?xml version="1.0"?><!DOCTYPE rss [{}]>'
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10 if n else "lol"}">' for n in range(12))
    attacks = {
        '<!ENTITY x SYSTEM "file:///etc/passwd">': "&x;",
        '<!ENTITY % p SYSTEM "http://127.0.0.1:1/evil.dtd"> %p;': "x",
        laughs: "&l11;",
        f'<!ENTITY big "{"A" * 100_000}">': "&big;" * 20_000,
    }
    for declarations, title in attacks.items():
        began = time.perf_counter()
        feed = declared.format(declarations) + rss(item(1, title)).partition("?>")[2]
        try:
            text = "".join(f"{entry.document.title}{entry.document.text}" for entry in entries(feed))
        except FetchError:
            text = ""
        assert "root:" not in text
        assert len(text) < 150_000
        assert time.perf_counter() - began < 5


@pytest.mark.parametrize(
    "piece", ["<a>", "<", "<!--", "&", "<![CDATA[", "<item><item>", "</a>", "&#x41;", "&lt;div&gt;"]
)
def test_hostile_markup_takes_no_more_than_some_seconds(piece: str) -> None:
    """200 kB of anything: time grows with the size alone, and nothing but FetchError comes out."""
    began = time.perf_counter()
    with suppress(FetchError):
        entries(rss(f"<item><description>{piece * (200_000 // len(piece))}</description></item>"))
    assert time.perf_counter() - began < 10


def test_a_feed_without_end_is_cut() -> None:
    """The first thousand entries are enough; memory of what was seen stays bounded."""
    assert len(entries(rss(*(item(number) for number in range(1200))))) == 1000


@pytest.mark.parametrize(
    ("url", "canonical"),
    [
        ("https://e.example/a?utm_source=rss&id=3&fbclid=x", "https://e.example/a?id=3"),
        ("HTTPS://E.example:443/a", "https://e.example/a"),
        ("/path", "https://news.example.com/path"),
        ("https://user:secret@e.example/", "https://e.example/"),
        ("javascript:alert(1)", None), ("mailto:a@b.c", None), ("data:text/html,x", None), ("", None),
        ("http://[", None), ("http://a b/", None),
    ],
)  # fmt: skip
def test_links_are_made_canonical(url: str, canonical: str | None) -> None:
    """Without tracking, absolute, without passwords; nothing but web addresses."""
    assert canonical_url(url, URL) == canonical


@settings(max_examples=150)
@given(content=st.binary(max_size=400), place=st.integers(0, len(ATOM)), cut=st.integers(0, 50), whole=st.booleans())
def test_damaged_feeds_are_entries_or_a_refusal(content: bytes, place: int, cut: int, whole: bool) -> None:
    """Whatever bytes come, alone or in the middle of a good feed: nothing else than FetchError is raised."""
    good = ATOM.encode()
    with suppress(FetchError):
        for entry in entries(content if whole else good[:place] + content + good[place + cut :]):
            assert entry.document.id
