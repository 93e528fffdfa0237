"""One spelling for one page, and ids that do not change for what is stored."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.addresses import canonical
from streams.intake import decode, derive_id
from tests.support.records import LIMITS, raw


@pytest.mark.parametrize(
    ("url", "canonical_url"),
    [
        ("HTTPS://Example.ORG:443/A?b=1&utm_source=x&UTM_medium=y#top", "https://example.org/A?b=1"),
        ("http://example.org:80", "http://example.org/"),
        ("http://example.org:8080/", "http://example.org:8080/"),
        ("https://weibo.com/1/AbC?from=page_100&wvr=6", "https://weibo.com/1/AbC?wvr=6"),
        ("https://rates.example/?from=USD&to=CNY", "https://rates.example/?from=USD&to=CNY"),
        ("https://item.taobao.com/i.htm?spm=a1z.1&id=7", "https://item.taobao.com/i.htm?id=7"),
        ("https://www.bilibili.com/video/BV1?share_source=copy&vd_source=f", "https://www.bilibili.com/video/BV1"),
        ("https://app.example/#/news/7", "https://app.example/#/news/7"),
        ("https://x.example/?q=a%20b&b=&c", "https://x.example/?q=a%20b&b=&c"),
        ("mailto:a@b.org", "mailto:a@b.org"),
        ("http://[broken", "http://[broken"),
        ("not a url", "not a url"),
        ("http://user:Pw@Example.org/", "http://user:Pw@example.org/"),
    ],
)
def test_one_spelling(url: str, canonical_url: str) -> None:
    """Case of host, default port, fragments and tracking go; what may name another page stays."""
    assert canonical(url) == canonical_url


@given(st.text(max_size=40) | st.text(alphabet="htps:/?#&=@[]:.aA1%utm_", max_size=40).map(lambda s: "http://" + s))
def test_any_address_has_one_spelling(url: str) -> None:
    """Whatever stands there, nothing is raised and a second time changes nothing."""
    assert canonical(canonical(url)) == canonical(url)


def test_ids_from_a_clean_address_or_a_text_are_what_they_were() -> None:
    """The rule of earlier versions gives the same ids: a re-crawl finds the document that is stored."""

    def before(source: str, what: str) -> str:
        return f"{source}:{hashlib.sha256(what.encode()).hexdigest()[:24]}"

    page = "https://example.org/a?id=7"
    assert decode(raw({"text": "x", "source": "s", "url": page}), LIMITS).id == before("s", page)
    marked = "<b>油价</b>&amp;上涨"
    assert decode(raw({"text": marked, "source": "s"}), LIMITS).id == before("s", marked)
    assert derive_id("s", None, "y") == before("s", "y")


def test_a_tracked_address_has_the_id_of_its_page_and_names_the_former_one() -> None:
    """However a page was shared its document is the same, and the id of earlier versions can be looked up."""
    tracked = "https://example.org/a?utm_source=mail"
    document = decode(raw({"text": "x", "source": "s", "url": tracked}), LIMITS)
    assert document.id == derive_id("s", "https://example.org/a", "")
    assert document.former_id == derive_id("s", tracked, "")
    assert decode(raw({"text": "x", "id": "own", "url": tracked}), LIMITS).former_id is None
