"""Bytes to text, whatever servers say of their charset: they are often wrong."""

import codecs
import re
from collections.abc import Iterator
from typing import Final

from charset_normalizer import from_bytes

BOMS: Final = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
WIDER: Final = {  # what pages mean by these names, as browsers take them: https://encoding.spec.whatwg.org/
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "big5": "big5hkscs",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "utf-16": "utf-16-le",
}
KNOWN: Final = re.compile(
    r"utf-8|utf-16-[lb]e|gb18030|big5hkscs|cp932|euc_jp|iso2022_jp|cp949|koi8-[ru]|cp125\d|cp874|iso8859-\d+|mac-roman"
)
"""Others, of which Python has many and some slow ones, are taken for a mistake."""
_XML: Final = re.compile(rb"""^\s*<\?xml[^>]{0,200}?encoding\s*=\s*["']([\w.:-]{1,40})["']""")
_META: Final = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?([\w.:-]{1,40})""", re.IGNORECASE)
HEAD_BYTES: Final = 4096
SAMPLE_BYTES: Final = 65_536
FEW: Final = 0.05  # a UTF-8 text with so many broken letters is still one


def decoded(body: bytes, declared: str | None = None) -> str:
    """The text of a body. Never fails: what fits nowhere becomes U+FFFD.

    A byte order mark counts first. Valid UTF-8 beyond ASCII is UTF-8, because other text hardly ever looks so. Then
    comes what was declared, in the header, the XML declaration or a meta tag, if the bytes agree; then a guess.

    Args:
        declared: by the header.
    """
    for mark, name in BOMS:
        if body.startswith(mark):
            return body[len(mark) :].decode(name, "replace")
    for name in _candidates(body, declared):
        try:
            return body.decode(name)
        except UnicodeError:
            continue
    text = body.decode("utf-8", "replace")
    letters = sum(byte >= 0xC0 for byte in body)  # each begins a letter of its own, if this is UTF-8
    if text.count("\ufffd") <= FEW * letters:
        return text
    guessed = from_bytes(_sample(body)).best()
    return body.decode(guessed.encoding, "replace") if guessed else text


def charset_of(content_type: str) -> str | None:
    """The charset parameter of a Content-Type header."""
    found = re.search(r"""charset\s*=\s*["']?([\w.:-]{1,40})""", content_type, re.IGNORECASE)
    return found[1] if found else None


def _candidates(body: bytes, declared: str | None) -> Iterator[str]:
    if body[:2] == b"<\0":
        yield "utf-16-le"
    if body[:2] == b"\0<":
        yield "utf-16-be"
    head = body[:HEAD_BYTES]
    within = _XML.search(head) or _META.search(head)
    if not body.isascii():
        yield "utf-8"
    for name in (declared, within[1].decode("ascii") if within else None, "utf-8"):
        if name and (known := _known(name)):
            yield known


def _known(name: str) -> str | None:
    try:
        found = codecs.lookup(name).name
    except LookupError:
        return None
    found = WIDER.get(found, found)
    return found if KNOWN.fullmatch(found) else None


def _sample(body: bytes) -> bytes:
    """Where letters beyond ASCII begin; markup says nothing of the charset."""
    first = next((place for place, byte in enumerate(body) if byte >= 0x80), 0)
    return body[first : first + SAMPLE_BYTES]
