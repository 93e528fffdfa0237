"""What of a query an index can look up, and what SQL can check: both find all that matches, and perhaps more.

Texts are cut as the SQL function `search_vector` cuts them: runs of ASCII letters and digits are words, other
characters go in pairs, and the last one of a run alone. So a run of two Chinese characters is one look-up, and a
single one is the beginning of pairs.
"""

import re
from itertools import pairwise
from typing import Final

from core.queries import And, Not, Or, Phrase, Query, Word

LONG_TEXT: Final = "-"  # carried by texts of which only the beginning is in the index
MAX_WORD_CHARS: Final = 64
_NEITHER: Final = (
    "\\x01-\\x7f\\u0080-\\u00a0\\u2000-\\u206f\\u3000-\\u303f"
    "\\uff01-\\uff0f\\uff1a-\\uff20\\uff3b-\\uff40\\uff5b-\\uff65"
)
_RUN: Final = re.compile(f"[a-z0-9_]+|[^{_NEITHER}]+")
_BETWEEN: Final = "[^a-z0-9_]*"  # punctuation and spaces as they stand in the text, unfolded


def lookup(query: Query) -> str | None:
    """A `tsquery` for `search_vector`; None when an index does not help."""
    match query:
        case And(parts):
            found = [one for part in parts if (one := lookup(part))]
            return " & ".join(found) or None
        case Or(parts):
            choices = [lookup(part) for part in parts]
            return None if None in choices else "(" + " | ".join(one for one in choices if one) + ")"
        case Not():
            return None
        case Word(text, is_prefix):
            return _lookup(text, is_prefix=is_prefix)
        case Phrase(text):
            return _lookup(text, is_prefix=False)


def condition(query: Query, values: dict[str, str]) -> str | None:
    """SQL on `folded`, a text as `search_fold` makes it; None when it says nothing.

    Args:
        values: gets the condition's parameters.
    """
    match query:
        case And(parts):
            found = [one for part in parts if (one := condition(part, values))]
            return "(" + " AND ".join(found) + ")" if found else None
        case Or(parts):
            choices = [condition(part, values) for part in parts]
            return None if None in choices else "(" + " OR ".join(one for one in choices if one) + ")"
        case Not():
            return None
        case Word(text, is_prefix):
            return _condition(text, values, is_prefix=is_prefix)
        case Phrase(text):
            return _condition(text, values, is_prefix=False)


def _lookup(text: str, *, is_prefix: bool) -> str | None:
    runs = _RUN.findall(text)
    lexemes: dict[str, None] = {}
    for number, run in enumerate(runs):
        if not run.isascii():
            pairs = [_quoted(a + b) for a, b in pairwise(run)]
            lexemes |= dict.fromkeys(pairs or [f"{_quoted(run)}:*"])
        elif is_prefix and number == len(runs) - 1 and text.endswith(run):
            lexemes[f"{_quoted(run[:MAX_WORD_CHARS])}:*"] = None
        else:
            lexemes[_quoted(run[:MAX_WORD_CHARS])] = None
    return f"({' & '.join(lexemes)} | {_quoted(LONG_TEXT)})" if lexemes else None


def _condition(text: str, values: dict[str, str], *, is_prefix: bool) -> str | None:
    """The longest run has to be there; and where words need ends or several runs follow each other, all of it."""
    matches = list(_RUN.finditer(text))
    if not matches:
        return None
    runs = [match[0] for match in matches]
    found = f"strpos(folded, :{_parameter(values, max(runs, key=len))}) > 0"
    if len(runs) == 1 and not runs[0].isascii():
        return found
    pattern = runs[0]
    for before, after in pairwise(matches):
        pattern += (_BETWEEN if after.start() > before.end() else "") + after[0]
    begins = r"(^|[^a-z0-9_])" if runs[0].isascii() else ""
    ends = "" if not runs[-1].isascii() or (is_prefix and text.endswith(runs[-1])) else r"([^a-z0-9_]|$)"
    return f"({found} AND folded ~ :{_parameter(values, begins + pattern + ends)})"


def _parameter(values: dict[str, str], value: str) -> str:
    name = f"term{len(values)}"
    values[name] = value
    return name


def _quoted(lexeme: str) -> str:
    """No lexeme holds a quote or a backslash: of ASCII they have letters, digits and `_`."""
    return f"'{lexeme}'"
