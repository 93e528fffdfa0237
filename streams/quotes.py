"""Own words and quoted words of a post: "//@name:" chains, "RT @name:", "回复@name:", ">" lines."""

import re
from typing import Final, NamedTuple

_REPOST: Final = re.compile(r"// ?@|\bRT ?@")
_QUOTE_LINE: Final = re.compile(r"^[ \t]*>+[ \t]?(?=[^\W_]|[\"'“「『《【@#…])", re.MULTILINE)
_REPLY_TO: Final = re.compile(r"(?:回复|回覆|Reply to|Replying to)\s?@[^\s:：,，@]{1,60}\s?[:：,，]?\s*")
_NAME: Final = re.compile(r"@[^\s:：,，。!！?？/@]{1,60}")
_NOTHING_SAID: Final = re.compile(
    r"转发了?(?:微博|此微博|这条微博)?|轉發(?:微博)?|分享(?:图片|视频)|Repost(?:ed)?|(?<!\w)RT(?!\w)|https?://\S+",
    re.IGNORECASE,
)
_SAID: Final = re.compile(r"[^\W_]|[\u2600-\u27bf\U0001f300-\U0001faff]")
FEWEST_CHARS: Final = 2
"""Letters, digits, Han characters or pictures that somebody has to say to have said something."""


class Parts(NamedTuple):
    """A post taken apart.

    Attributes:
        text: the author's own words; the whole post where there are none.
        quoted: what is quoted; None where nothing is. A part of `text` exactly where the author says nothing.
    """

    text: str
    quoted: str | None


def split(text: str) -> Parts:
    """Take a post apart. A second call on `text` changes neither part."""
    if "@" not in text and ">" not in text:
        return Parts(text, None)
    own, quoted = _split(text)
    if not quoted:
        return Parts(text, None)
    if says_something(own):
        return Parts(own, quoted)
    return Parts(text, quoted if quoted in text else text)


def says_something(own: str) -> bool:
    """Whether the words say more than that they pass something on."""
    said = _NOTHING_SAID.sub("", _NAME.sub("", _REPLY_TO.sub("", own)))
    return len(_SAID.findall(said)) >= FEWEST_CHARS


def _split(text: str) -> tuple[str, str]:
    """Own and quoted words, however little they say."""
    chain = ""
    if found := _REPOST.search(text):
        text, chain = text[: found.start()], text[found.start() :].removeprefix("//").removeprefix("RT").strip()
    if ">" not in text:
        return text.strip(), chain
    own: list[str] = []
    quoted: list[str] = []
    for line in text.split("\n"):
        mark = _QUOTE_LINE.match(line)
        (quoted if mark else own).append(line[mark.end() :] if mark else line)
    return "\n".join(own).strip(), "\n".join(filter(None, [*quoted, chain])).strip()
