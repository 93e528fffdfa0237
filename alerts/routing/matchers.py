"""Matchers over labels, as in Alertmanager: `topic="sports"`, `source!=a`, `source=~"weibo|news"`, `lang!~"en.*"`.

A regular expression has to match the whole value. It is run by Rust's `regex` crate (through pydantic), whose time
grows with the length of the text and not beyond: no pattern that a person writes can hold up the scheduler. A label
that is not there is as an empty one. Pure.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal, cast

from pydantic_core import SchemaError, SchemaValidator, core_schema

from core.errors import UsageError

Operator = Literal["=", "!=", "=~", "!~"]

MAX_VALUE_CHARS: Final = 500
MAX_PATTERN_CHARS: Final = 200
REMEDY: Final = """for example topic="sports", source!=weibo or source=~"weibo|news\""""
_FORM: Final = re.compile(r"\s*([a-zA-Z_][a-zA-Z0-9_]{0,99})\s*(=~|!~|!=|=)\s*(.*?)\s*", re.DOTALL)
_QUOTED: Final = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition on one label; `matcher` makes them, checked."""

    name: str
    operator: Operator
    value: str

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether these labels meet it."""
        found = labels.get(self.name, "")
        is_same = _engine(self.value).isinstance_python(found) if "~" in self.operator else found == self.value
        return is_same != self.operator.startswith("!")

    def __str__(self) -> str:
        """As `matcher` reads it."""
        escaped = self.value.replace("\\", "\\\\").replace('"', '\\"')
        return f'{self.name}{self.operator}"{escaped}"'


@lru_cache(maxsize=4096)
def matcher(text: str) -> Matcher:
    """Reads one.

    Raises:
        UsageError: it is not understood, too long, or its regular expression cannot be used.
    """
    shown = text[:60]
    found = _FORM.fullmatch(text)
    if found is None:
        raise UsageError(f"not a matcher: {shown!r}", remedy=REMEDY)
    name, operator, value = found[1], cast("Operator", found[2]), found[3]
    if value.startswith('"'):
        if not _QUOTED.fullmatch(value):
            raise UsageError(f"the quotes of {shown!r} do not end where the matcher does", remedy=REMEDY)
        value = re.sub(r"\\(.)", r"\1", value[1:-1], flags=re.DOTALL) if "~" not in operator else _unquoted(value)
    elif not value:
        raise UsageError(f'{shown!r} has no value; an empty one is written ""', remedy=REMEDY)
    if _CONTROL.search(value):
        raise UsageError(f"{shown!r}: control characters and line breaks are not taken", remedy=REMEDY)
    if len(value) > (MAX_PATTERN_CHARS if "~" in operator else MAX_VALUE_CHARS):
        raise UsageError(f"{shown!r} is too long", remedy=REMEDY)
    if "~" in operator:
        try:
            _checked(value)
        except SchemaError as error:
            cause = str(error).strip().splitlines()[-1].removeprefix("error: ")
            raise UsageError(f"{shown!r}: not a regular expression: {cause}", remedy=REMEDY) from error
    return Matcher(name, operator, value)


def matchers(texts: Iterable[str]) -> tuple[Matcher, ...]:
    """Reads several; raises as `matcher`."""
    return tuple(matcher(text) for text in texts)


def one_of(name: str, values: Sequence[str]) -> Matcher:
    """That a label is one of these values."""
    if len(values) == 1:
        return matcher(str(Matcher(name, "=", values[0])))
    return matcher(str(Matcher(name, "=~", "|".join(re.escape(value) for value in values))))


def all_match(conditions: Iterable[Matcher], labels: Mapping[str, str]) -> bool:
    """Whether the labels meet all of them."""
    return all(one.matches(labels) for one in conditions)


def _unquoted(value: str) -> str:
    r"""Of a regular expression `\"` and `\\` alone are escapes of the quotes; any other is its own, as `\d`."""
    return re.sub(r'\\(["\\])', r"\1", value[1:-1])


def _checked(pattern: str) -> None:
    # By itself first: `a)|(b` would otherwise slip out of the group that anchors it.
    SchemaValidator(core_schema.str_schema(pattern=pattern, regex_engine="rust-regex"))
    _engine(pattern)


@lru_cache(maxsize=1024)
def _engine(pattern: str) -> SchemaValidator:
    return SchemaValidator(core_schema.str_schema(pattern=f"^(?:{pattern})$", regex_engine="rust-regex"))
