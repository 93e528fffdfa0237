"""The language of a text: by its script, and by lingua where the script is Latin."""

import re
from collections.abc import Sequence
from functools import cache
from typing import Any, Final

from core.scripts import LATIN_LANGUAGES, READ_CHARS, script_of

DEFAULT_LANGUAGES: Final = ("en", "de", "fr", "es", "pt", "it", "id", "vi", "tr")
"""Without Malay: from so little text lingua takes Indonesian for it."""
FEWEST_LETTERS: Final = 24
"""A shorter text in Latin script counts as English: lingua has too little to go by."""

_HAN: Final = "\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff"
_KANA: Final = "\u3040-\u30ff"
_HANGUL: Final = "\u1100-\u11ff\uac00-\ud7af"
_LATIN: Final = re.compile(r"[A-Za-z\u00c0-\u024f\u1e00-\u1eff]")
_LETTERS: Final = re.compile(
    rf"(?P<han>[{_HAN}])|(?P<kana>[{_KANA}])|(?P<ko>[{_HANGUL}])|(?P<ru>[\u0400-\u04ff])|(?P<ar>[\u0600-\u06ff])"
)
_OWN_SCRIPT: Final = {
    "zh": re.compile(f"[{_HAN}]"),
    "ja": re.compile(f"[{_HAN}{_KANA}]"),
    "ko": re.compile(f"[{_HAN}{_HANGUL}]"),
    **dict.fromkeys(("ru", "uk", "bg", "be", "mk"), re.compile("[\u0400-\u04ff]")),
    **dict.fromkeys(("ar", "fa", "ur"), re.compile("[\u0600-\u06ff]")),
    **dict.fromkeys(LATIN_LANGUAGES, _LATIN),
}
# Two of these make a text English, which spares most English texts lingua, and most workers its 30 MB.
_ENGLISH: Final = re.compile(
    r"\b(?:the|and|of|is|are|this|that|with|have|has|you|your|it|its|for|my|they|their|what|when|will|would|from|our|"
    r"be|been|we|how|who|after|over)\b",
    re.IGNORECASE,
)


def language_of(text: str, declared: str | None = None, languages: Sequence[str] = DEFAULT_LANGUAGES) -> str:
    """The language that the crawler declares, unless the text has not one letter of its script; else the detected."""
    if declared and not _is_contradicted(text, declared):
        return declared
    return detect_lang(text, languages)


def detect_lang(text: str, languages: Sequence[str] = DEFAULT_LANGUAGES) -> str:
    """The language as an ISO 639-1 code. A text without letters, or with few of the Latin script, counts as English.

    Args:
        languages: what a text in Latin script may be in; with English alone, or nothing, lingua is never loaded.
    """
    begin = text[:READ_CHARS]
    if not begin.isascii():
        found: dict[str, int] = {}
        for match in _LETTERS.finditer(begin):
            name = str(match.lastgroup)
            found[name] = found.get(name, 0) + 1
        if script := _by_script(begin, found):
            return script
    letters = len(_LATIN.findall(begin))
    if letters < FEWEST_LETTERS or len(set(map(str.lower, _ENGLISH.findall(begin)))) > 1:
        return "en"
    detector = _detector(tuple(languages))
    found_language = detector.detect_language_of(begin) if detector else None
    return str(found_language.iso_code_639_1.name.lower()) if found_language else "en"


def _by_script(begin: str, found: dict[str, int]) -> str | None:
    han, kana = found.pop("han", 0), found.pop("kana", 0)
    latin = len(_LATIN.findall(begin))
    best = max(found, key=found.__getitem__, default="")
    if best and found[best] > han + kana and found[best] >= latin / 4:
        return best
    if kana and kana * 4 >= han:  # a Chinese post may say の for fun
        return "ja"
    return "zh" if han and (script_of(begin) == "han" or han > latin) else None


def _is_contradicted(text: str, declared: str) -> bool:
    own = _OWN_SCRIPT.get(re.split("[-_]", declared.lower(), maxsplit=1)[0])
    if own is None or own.search(text):
        return False
    return bool(_LATIN.search(text) or _LETTERS.search(text))


@cache
def _detector(languages: tuple[str, ...]) -> Any:
    """Loaded when the first text needs it; in low accuracy mode, which is five times as small."""
    from lingua import IsoCode639_1, LanguageDetectorBuilder

    if len(set(languages)) < 2:  # nothing to tell apart
        return None
    codes = [getattr(IsoCode639_1, code.upper()) for code in languages]
    builder = LanguageDetectorBuilder.from_iso_codes_639_1(*codes)
    return builder.with_low_accuracy_mode().build()
