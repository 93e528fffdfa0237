"""Personal details out of texts that leave the store: alerts, evidence and what models learn from.

Errs on the side of the person where a number could be a telephone, and on the side of the text where a check digit
can tell: 18 digits are an identity number only with a birthday and a right check digit, 13 to 19 digits a bank card
only with an issuer's prefix and a right Luhn digit. Prices, dates, stock codes and order numbers stay.
"""

import re
from collections.abc import Callable
from datetime import date
from typing import Final

_BEFORE: Final = r"(?<![\dA-Z./=_-])"  # a longer number, a code, a decimal, part of an address
_AFTER: Final = r"(?!\d|[.,/_-]\d)"

_EMAIL: Final = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,5}")
_IDENTITY: Final = re.compile(rf"{_BEFORE}[1-9]\d{{16}}[\dXx]{_AFTER}(?![A-Za-z])")
_CARD: Final = re.compile(rf"{_BEFORE}(?:62|4|5[1-5]|2[2-7]|3[47]|81)(?:[ -]?\d){{11,17}}{_AFTER}")
_MOBILE: Final = re.compile(rf"{_BEFORE}(?:(?:\+|00)?86[- ]?)?1[3-9]\d[- ]?\d{{4}}[- ]?\d{{4}}{_AFTER}")
_LANDLINE: Final = re.compile(rf"{_BEFORE}\(?0\d{{2,3}}\)?[- ]\d{{7,8}}{_AFTER}")
_INTERNATIONAL: Final = re.compile(r"(?<![\w.])\+[1-9]\d{0,2}(?:[ .-]?\(?\d{1,4}\)?){2,6}(?![\d%]|[.,]\d)")
_HANDLE: Final = re.compile(r"(?<![\w.])(?:[@＠][\w·-]{1,40})+")
_NARROW: Final = {ord(wide): str(digit) for digit, wide in enumerate("０１２３４５６７８９")}
_CARD_LENGTHS: Final = {
    "4": (13, 16, 19),
    "5": (16,),
    "2": (16,),
    "3": (15,),
    "6": (16, 17, 18, 19),
    "8": (16, 17, 18, 19),
}
_IDENTITY_WEIGHTS: Final = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)  # GB 11643-1999
_CHECK_DIGITS: Final = "10X98765432"


def scrub(text: str) -> str:
    """The text with `[email]`, `[id]`, `[card]`, `[phone]` and `@…` in the place of what they stand for.

    Time grows with the text alone; a second call changes nothing.
    """
    if "@" in text or "＠" in text:
        text = _HANDLE.sub("@…", _EMAIL.sub("[email]", text))
    if not _HAS_NUMBER.search(text):
        return text
    text = text.translate(_NARROW)
    text = _IDENTITY.sub(_if(_is_identity, "[id]"), text)
    text = _CARD.sub(_if(_is_card, "[card]"), text)
    text = _LANDLINE.sub("[phone]", _MOBILE.sub("[phone]", text))
    return _INTERNATIONAL.sub(_if(_is_long_enough, "[phone]"), text)


_HAS_NUMBER: Final = re.compile(r"\d[\d ().+-]{5}")


def _if(is_one: Callable[[str], bool], mark: str) -> Callable[[re.Match[str]], str]:
    return lambda match: mark if is_one(match[0]) else match[0]


def _digits(text: str) -> list[int]:
    return [int(character) for character in text if character.isdecimal()]


def _is_identity(number: str) -> bool:
    digits = _digits(number[:17])
    try:
        year, month, day = (int("".join(map(str, digits[a:b]))) for a, b in ((6, 10), (10, 12), (12, 14)))
        is_day = 1900 <= year <= 2100 and bool(date(year, month, day))
    except ValueError:
        return False
    check = _CHECK_DIGITS[sum(w * d for w, d in zip(_IDENTITY_WEIGHTS, digits, strict=True)) % 11]
    last = number[17].upper()
    return is_day and (str(int(last)) if last.isdecimal() else last) == check


def _is_card(number: str) -> bool:
    """Luhn's check (ISO/IEC 7812-1, annex B)."""
    digits = _digits(number)
    doubled = [d if place % 2 == 0 else sum(divmod(2 * d, 10)) for place, d in enumerate(reversed(digits))]
    return len(digits) in _CARD_LENGTHS[number[0]] and sum(doubled) % 10 == 0


def _is_long_enough(number: str) -> bool:
    return 8 <= len(_digits(number)) <= 15  # ITU-T E.164
