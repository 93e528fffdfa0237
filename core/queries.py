"""Search queries: words, "phrases", prefixes*, AND, OR, NOT and parentheses, in Lucene's syntax as `luqum` reads it.

Words side by side all have to occur. Chinese operators (且 与 和, 或, 非 不含) count when they stand alone, and
full-width brackets and quotes are those of ASCII.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from luqum import tree
from luqum.exceptions import ParseError
from luqum.thread import parse as parse_lucene

from core.errors import UsageError
from core.folding import fold, is_word

MAX_CHARS: Final = 1_000
MAX_TERMS: Final = 50
MAX_DEPTH: Final = 20
SYNTAX: Final = 'words, "a phrase", begin*, AND, OR, NOT and ( ); docs/how-to/search.md has examples'

_OPERATORS: Final = {"且": "AND", "与": "AND", "和": "AND", "或": "OR", "非": "NOT", "不含": "NOT"}
_FULL_WIDTH: Final = str.maketrans("（）“”＂＊　", '()"""* ')
_PIECE: Final = re.compile(r'"[^"]*"|[()]|[^\s()"]+|\s+|"')
# Characters that mean something to Lucene and nothing here: people write them in words ("C++", "and/or", "10:30").
_PLAIN_WORD: Final = re.compile(r"[\\:^~{}\[\]/+\-<>!?&|=']")


@dataclass(frozen=True, slots=True)
class Word:
    """`text` is folded and not blank. A prefix matches words that begin so."""

    text: str
    is_prefix: bool = False


@dataclass(frozen=True, slots=True)
class Phrase:
    """`text` is folded and not blank; it has to occur as it is."""

    text: str


@dataclass(frozen=True, slots=True)
class And:
    """All of two or more."""

    parts: tuple["Query", ...]


@dataclass(frozen=True, slots=True)
class Or:
    """One of two or more."""

    parts: tuple["Query", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """Whatever the part does not match."""

    part: "Query"


Query = Word | Phrase | And | Or | Not


Trouble = Literal["long", "nul", "empty", "stray", "early", "many", "quote", "deep", "syntax", "star", "nothing"]


class QueryError(UsageError):
    """The query cannot be understood; the message says where.

    Attributes:
        trouble: what is wrong, for who says it in another language.
        position: of the character; None where no single one is to blame.
    """

    def __init__(self, trouble: Trouble, message: str, position: int | None = None) -> None:
        where = f" at character {position + 1}" if position is not None else ""
        super().__init__(f"the query cannot be understood{where}: {message}", remedy=SYNTAX)
        self.trouble = trouble
        self.position = position


def parse_query(query: str) -> Query:
    """The tree of a query.

    Raises:
        QueryError: it is empty, too long, too deep, or not in the syntax; the message names the character.
    """
    if len(query) > MAX_CHARS:
        raise QueryError("long", f"it has {len(query):,} characters, at most {MAX_CHARS:,} are taken")
    if (nul := query.find("\x00")) >= 0:
        raise QueryError("nul", "a NUL character matches nothing", nul)
    lucene, places = _as_lucene(query)
    if not lucene.strip():
        raise QueryError("empty", "it is empty")
    try:
        root = parse_lucene(lucene)
    except ParseError as error:
        found = re.search(r"'(.*)' at position (\d+)", str(error), re.DOTALL)
        if found:
            place = places[min(int(found[2]), len(places) - 1)]
            raise QueryError("stray", f"{found[1]!r} does not belong here", place) from error
        raise QueryError("early", "it ends too early", len(query)) from error
    if sum(1 for _ in _terms(root)) > MAX_TERMS:
        raise QueryError("many", f"it has more than {MAX_TERMS} words and phrases")
    return _convert(root, places)


def matches(query: Query, folded: str) -> bool:
    """Whether a folded text (`core.folding`, not simplified) is what the query asks for. This is the rule; indexes
    only help to find what meets it."""
    match query:
        case And(parts):
            return all(matches(part, folded) for part in parts)
        case Or(parts):
            return any(matches(part, folded) for part in parts)
        case Not(part):
            return not matches(part, folded)
        case Word(text, is_prefix):
            return _occurs(text, folded, is_open=is_prefix)
        case Phrase(text):
            return _occurs(text, folded, is_open=False)


def places(query: Query, folded: str) -> Iterator[tuple[int, int]]:
    """Where what the query looks for stands in a folded text, from and to; nothing for what it excludes."""
    match query:
        case And(parts) | Or(parts):
            for part in parts:
                yield from places(part, folded)
        case Word(text, is_prefix):
            yield from _places(text, folded, is_open=is_prefix)
        case Phrase(text):
            yield from _places(text, folded, is_open=False)


def _occurs(text: str, folded: str, *, is_open: bool) -> bool:
    return next(_places(text, folded, is_open=is_open), None) is not None


def _places(text: str, folded: str, *, is_open: bool) -> Iterator[tuple[int, int]]:
    """Where the text stands, its ends at ends of words; an open one may go on."""
    start = folded.find(text)
    while start >= 0:
        end = start + len(text)
        begins = start == 0 or not (is_word(text[0]) and is_word(folded[start - 1]))
        if begins and (is_open or end == len(folded) or not (is_word(text[-1]) and is_word(folded[end]))):
            yield start, end
        start = folded.find(text, start + 1)


def _as_lucene(query: str) -> tuple[str, list[int]]:
    """The query with operators and brackets as Lucene has them; for each of its characters the one it comes from."""
    parts: list[str] = []
    places: list[int] = []
    depth = 0
    for match in _PIECE.finditer(query.translate(_FULL_WIDTH)):
        piece, start = match[0], match.start()
        if piece == '"':
            raise QueryError("quote", "a quotation mark has no partner", start)
        if piece in "()":
            depth += 1 if piece == "(" else -1
            if depth > MAX_DEPTH:
                raise QueryError("deep", f"more than {MAX_DEPTH} brackets inside each other", start)
        if piece.startswith('"'):
            is_apart = not parts or parts[-1][-1] in " ("
            made = ("" if is_apart else " ") + piece.replace("\\", "\\\\")
        elif piece in _OPERATORS:
            made = _OPERATORS[piece]
        elif piece == "TO":  # a word of Lucene's ranges
            made = "\\TO"
        else:
            made = _PLAIN_WORD.sub(lambda found: f"\\{found[0]}", piece)
            if made.startswith(("\\-", "\\+")) and len(piece) > 1:
                made = made[1:]
        parts.append(made)
        places += [start + min(nth, len(piece) - 1) for nth in range(len(made))]
    places.append(len(query))
    return "".join(parts), places


def _terms(root: tree.Item) -> "list[tree.Item]":
    waiting, found = [root], []
    while waiting:
        item = waiting.pop()
        if isinstance(item, tree.Term):
            found.append(item)
        waiting += item.children
    return found


def _convert(item: tree.Item, places: list[int]) -> Query:
    match item:
        case tree.Group():
            return _convert(item.children[0], places)
        case tree.AndOperation() | tree.UnknownOperation():
            return And(tuple(_convert(child, places) for child in item.children))
        case tree.OrOperation():
            return Or(tuple(_convert(child, places) for child in item.children))
        case tree.Not() | tree.Prohibit():
            return Not(_convert(item.children[0], places))
        case tree.Plus():
            return _convert(item.children[0], places)
        case tree.Phrase():
            return Phrase(_folded(item.value[1:-1].replace("\\\\", "\\"), places[item.pos]))
        case tree.Word():
            return _word(re.sub(r"\\(.)", r"\1", item.value), places[item.pos])
    raise QueryError("syntax", "this is not part of the syntax", places[item.pos or 0])


def _word(text: str, place: int) -> Word:
    is_prefix = text.endswith("*")
    stem = text[:-1] if is_prefix else text
    if "*" in stem or not stem:
        raise QueryError("star", "* may only end a word", place + text.index("*"))
    return Word(_folded(stem, place), is_prefix)


def _folded(text: str, place: int) -> str:
    folded = fold(text, simplify=False).text.strip()
    if not folded:
        raise QueryError("nothing", "there is nothing to look for", place)
    return folded
