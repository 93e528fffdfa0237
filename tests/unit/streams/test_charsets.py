"""What servers say of their charset against what the bytes are."""

import pytest

from streams.sources.charsets import charset_of, decoded

CHINESE = "<rss><title>苹果公司发布新手机，价格上涨百分之十</title></rss>"


@pytest.mark.parametrize("declared", ["gbk", "utf-8", "iso-8859-1", "no-such-charset", "idna", "hex", None])
def test_utf_8_is_read_whatever_is_declared(declared: str | None) -> None:
    """Servers that declare GBK, or Latin-1 by default, and send UTF-8."""
    assert decoded(CHINESE.encode(), declared) == CHINESE


@pytest.mark.parametrize("declared", ["utf-8", "gb2312", "GBK", "gb18030", None])
def test_gbk_is_read_whatever_is_declared(declared: str | None) -> None:
    """Feeds of old forums declare UTF-8, and GB2312 for letters that only GB18030 has."""
    text = CHINESE.replace("新", "镕㐂新") * 5 if declared not in ("utf-8", None) else CHINESE * 5
    assert decoded(text.encode("gb18030"), declared) == text


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"])
def test_marks_and_patterns_of_wide_letters_are_known(encoding: str) -> None:
    """With a byte order mark, and without one by the place of the zeros."""
    assert decoded(CHINESE.encode(encoding), "utf-8" if encoding == "utf-8-sig" else None) == CHINESE


def test_what_stands_within_counts_when_the_header_is_silent() -> None:
    """The XML declaration, and the meta tag of a page."""
    xml = '<?xml version="1.0" encoding="big5"?><a>中文</a>'
    html = "<html><head><meta charset='euc-kr'></head>한국어"
    assert decoded(xml.encode("big5"), None) == xml
    assert decoded(html.encode("euc-kr"), None) == html


def test_one_broken_letter_does_not_change_the_charset() -> None:
    """A UTF-8 feed cut in the middle of a letter stays UTF-8."""
    broken = CHINESE.encode() * 3 + "价".encode()[:2]
    assert decoded(broken, "utf-8") == CHINESE * 3 + "\ufffd"


@pytest.mark.parametrize("body", [b"", b"\xff", b"\x80" * 5000, bytes(range(256)) * 20])
def test_any_bytes_become_some_text(body: bytes) -> None:
    """Nothing that a server sends ends in an error here."""
    assert isinstance(decoded(body, "utf-8"), str)


def test_the_header_is_read_with_and_without_quotes() -> None:
    """`charset` is found wherever it stands."""
    assert charset_of('text/xml; boundary=1; CHARSET="gbk"') == "gbk"
    assert charset_of("text/xml") is None
