"""Watchlists: which brands, companies or themes a text speaks of, and where.

A watchlist has a name and the words that stand for it. Words are found in normalised text (`core.folding`), those of
a script with spaces only as whole words ("AI" is not in "training"), and of overlapping words of one watchlist the
leftmost and then longest counts. Watchlists do not disturb each other: "苹果" of one is found inside "苹果手机" of
another.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

import yaml
from ahocorasick_rs import AhoCorasick
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from core.errors import ConfigError
from core.folding import Folded, fold, is_word

REMEDY: Final = "docs/how-to/watch-brands.md describes the file"
MAX_NAME_CHARS: Final = 200


class Span(NamedTuple):
    """Half-open, in characters of the text as it came."""

    start: int
    end: int


@dataclass(frozen=True)
class Watchlist:
    """Something to watch.

    Attributes:
        any: a text mentions it when one of these words stands in it; none is blank.
    """

    name: str
    any: tuple[str, ...]


class Watchlists:
    """Finds all watchlists in one pass over a text, however many there are. Immutable."""

    def __init__(self, watchlists: Iterable[Watchlist] = ()) -> None:
        """Args:
        watchlists: with names of their own.
        """
        self._names: list[str] = []
        owners: dict[str, list[int]] = {}
        for number, watchlist in enumerate(watchlists):
            self._names.append(watchlist.name)
            for word in dict.fromkeys(fold(word).text.strip() for word in watchlist.any):
                owners.setdefault(word, []).append(number)
        self._owners = list(owners.values())
        self._automaton = AhoCorasick(list(owners)) if owners else None

    def __len__(self) -> int:
        return len(self._names)

    def find(self, text: str) -> dict[str, list[Span]]:
        """The watchlists that `text` mentions, by name and in the order of the file; each with its mentions,
        ascending and without overlap."""
        if self._automaton is None:
            return {}
        folded = fold(text)
        found: dict[int, list[Span]] = {}
        for word, start, end in self._automaton.find_matches_as_indexes(folded.text, overlapping=True):
            if _is_whole(folded.text, start, end):
                for owner in self._owners[word]:
                    found.setdefault(owner, []).append(_original(folded, start, end))
        return {self._names[owner]: _without_overlap(found[owner]) for owner in sorted(found)}


def _is_whole(text: str, start: int, end: int) -> bool:
    """Whether no letter of a script with spaces goes on beyond an end that is one, too."""
    begins = start == 0 or not (is_word(text[start]) and is_word(text[start - 1]))
    return begins and (end == len(text) or not (is_word(text[end - 1]) and is_word(text[end])))


def _original(folded: Folded, start: int, end: int) -> Span:
    return Span(folded.starts[start], folded.ends[end - 1])


def _without_overlap(spans: Sequence[Span]) -> list[Span]:
    """The leftmost, of those that begin together the longest, and so on after its end."""
    chosen: list[Span] = []
    for span in sorted(spans, key=lambda span: (span.start, -span.end)):
        if not chosen or span.start >= chosen[-1].end:
            chosen.append(span)
    return chosen


def load_watchlists(path: Path | None) -> Watchlists:
    """Read a watchlist file; none at all watches nothing.

    Raises:
        ConfigError: it cannot be read or used; the message names file, line, entry and field.
    """
    return Watchlists(read_watchlists(path)) if path is not None else Watchlists()


def read_watchlists(path: Path) -> list[Watchlist]:
    """The entries of a watchlist file, in its order.

    Raises:
        ConfigError: as `load_watchlists`.
    """
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
        body = _File.model_validate(yaml.SafeLoader("").construct_document(root) if root else None)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the watchlist file {path} cannot be read: {error}", remedy=REMEDY) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path}:{mark.line + 1}" if mark else str(path)
        raise ConfigError(f"{place}: {getattr(error, 'problem', None) or error}", remedy=REMEDY) from error
    except ValidationError as error:
        problems = [f"  {_place(path, root, item['loc'])}: {_cause(item)}" for item in error.errors()]
        raise ConfigError("\n".join(["the watchlists cannot be used:", *problems]), remedy=REMEDY) from error
    first: dict[str, int] = {}
    for number, entry in enumerate(body.watchlists):
        if first.setdefault(entry.name, number) != number:
            place = _place(path, root, ("watchlists", number, "name"))
            raise ConfigError(f"{place}: there is another watchlist {entry.name!r}", remedy=REMEDY)
    return [Watchlist(entry.name, tuple(entry.any)) for entry in body.watchlists]


_Word = Annotated[str, StringConstraints(strict=True, strip_whitespace=True, min_length=1)]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: Annotated[_Word, Field(max_length=MAX_NAME_CHARS)]
    any: Annotated[list[_Word], Field(min_length=1)]


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    watchlists: list[_Entry]


def _place(path: Path, root: yaml.Node | None, loc: Sequence[int | str]) -> str:
    """`file:line: watchlists[3] ("Acme") any[0]`, as far as the file has it."""
    node, line, entry = root, 1, ""
    for key in loc:
        if isinstance(node, yaml.SequenceNode) and isinstance(key, int):
            node = node.value[key]
            line = node.start_mark.line + 1
            entry = entry or _entry_name(node)
        elif isinstance(node, yaml.MappingNode):
            pairs = [(k, value) for k, value in node.value if k.value == key]
            if not pairs:
                break
            key_node, node = pairs[-1]
            line = key_node.start_mark.line + 1
    steps = [f"[{key}]" if isinstance(key, int) else f" {key}" for key in loc]
    where = "".join(f"{step}{entry}" if n == 1 else step for n, step in enumerate(steps)).strip()
    return f"{path}:{line}: {where}" if where else f"{path}:{line}"


def _entry_name(node: yaml.Node) -> str:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == "name" and isinstance(value, yaml.ScalarNode):
                return f' ("{value.value}")'
    return ""


def _cause(item: Any) -> str:
    loc = item["loc"]
    if item["type"] == "extra_forbidden":
        understood = ("watchlists",) if len(loc) == 1 else tuple(_Entry.model_fields)
        return f"not understood; understood are: {', '.join(understood)}"
    if item["type"] == "string_type":
        return f"{item['input']!r} is no text; put it in quotes"
    if not loc:
        return "the file has to begin with `watchlists:`"
    return str(item["msg"])
