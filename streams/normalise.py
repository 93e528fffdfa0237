"""What people wrote, cleaned: the one pass over a text between the crawler and everything that reads it.

What is stored is what people wrote, without markup, invisible characters and what they only quote. It is not NFKC:
that would turn 「，」 into "," and "㈱" into "(株)" in what people read. Whatever compares texts brings them into
NFKC itself: the matcher by `core.folding`, which knows the way back to the text, and the classifier's tokenizer.
"""

import re
from typing import Final

from streams.markup import without_markup

# Control characters (PostgreSQL takes no NUL, terminals no escape codes), lone surrogates, noncharacters; soft
# hyphen, zero-width space and word joiner, byte order mark; marks, embeddings, overrides and isolates of direction,
# which make a text read as what it is not.
_JUNK_CLASS: Final = (
    r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\xad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e"
    r"\u2060-\u206f\ufeff\ufff9-\ufffb\ufffe\uffff"
)
_JUNK: Final = re.compile(f"[{_JUNK_CLASS}]")
_RARE: Final = re.compile(
    f"[{_JUNK_CLASS}\r\u00a0\u2000-\u200a\u200c\u200d\u2028\u2029\u202f\u205f\U000e0000-\U000e007f]"
)
# Joiners make one picture of several, and shape letters in Arabic and Indic scripts; elsewhere they only hide words.
_JOINED: Final = (
    r"\u0600-\u06ff\u0750-\u077f\u08a0-\u08ff\u0900-\u0dff\u1000-\u109f\u1780-\u17ff"
    r"\u00a9\u00ae\u203c\u2049\u2122\u2139\u2190-\u2bff\u3030\u303d\u3297\u3299\ufe0e\ufe0f\U0001f000-\U0001faff"
)
_JOINERS: Final = re.compile(rf"(?<![{_JOINED}])[\u200c\u200d]+|[\u200c\u200d](?![{_JOINED}])")
_TAGS: Final = re.compile(  # flags of England, Scotland and Wales; elsewhere letters that nobody sees
    "(\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{1,8}\U000e007f)|[\U000e0000-\U000e007f]"
)
_SPACE: Final = re.compile("[\u00a0\u2000-\u200a\u202f\u205f]")
_LINE_END: Final = re.compile("\r\n?|[\u2028\u2029]")


def normalise(text: str) -> str:
    """The text without markup and without characters that nobody sees. Never raises; time grows with the length; a
    second call changes nothing. Emoji, their joiners and variants, line breaks and widths stay."""
    return _visible(without_markup(_visible(text), _visible)).strip()


def _visible(text: str) -> str:
    if not _RARE.search(text):
        return text
    text = _SPACE.sub(" ", _LINE_END.sub("\n", _JUNK.sub("", text)))
    return _JOINERS.sub("", _TAGS.sub(r"\1", text))
