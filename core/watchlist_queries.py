"""Simple boolean queries over words: luqum's Lucene syntax, with Chinese operators.

    苹果 AND (发布 OR 新品) NOT 苹果汁      苹果 与 （发布 或 新品） 非 苹果汁      "Acme Corp" +shares -"Acme Road"

NOT binds tightest, then AND, then OR; what merely stands side by side must all occur, and binds loosest: "a OR b c"
is "(a OR b) AND c". An operator is one only when it stands by itself, between spaces or parentheses: 和 in 和平 is a
character of a word. A query says which words occur, not where: fields, wildcards, ranges and distances are refused.
"""

import re
from collections.abc import Container, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from luqum import tree
from luqum.exceptions import ParseError
from luqum.thread import parse

from core.folding import fold

MAX_CHARS: Final = 4000
MAX_DEPTH: Final = 30

_OPERATORS: Final = {
    **dict.fromkeys(("与", "和", "且", "與", "&&"), "AND"),
    **dict.fromkeys(("或", "||"), "OR"),
    **dict.fromkeys(("非", "不含", "!"), "NOT"),
}
_MISTAKEN: Final = ("and", "or", "not")
_WRITTEN: Final = str.maketrans({"（": "(", "）": ")", "　": " ", "＂": '"', "＋": "+", "－": "-"})
_QUOTES: Final = {'"': '"', "＂": "＂", "“": "”", "「": "」", "『": "』"}
_QUOTED: Final = re.compile("|".join(f"{a}(?:[^{b}\\\\]|\\\\.)*(?:{b}|$)" for a, b in _QUOTES.items()), re.DOTALL)
_TOKEN: Final = re.compile(r"[()\s]|[^()\s]+")
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)
_REFUSED: Final = {
    tree.SearchField: "a colon asks for a field, and there are none; put the words in quotes, or use `sources` and "
    "`langs`",
    tree.Range: "ranges are not understood; put the words in quotes",
    tree.Fuzzy: "~ is not understood; put the words in quotes",
    tree.Proximity: "~ is not understood: a phrase stands as it is",
    tree.Boost: "^ is not understood; put the words in quotes",
    tree.Regex: "regular expressions are not understood; put the words in quotes",
}


class QueryError(ValueError):
    """The query cannot be understood; the message says what to change."""


@dataclass(frozen=True)
class Word:
    """True where the folded word occurs."""

    word: str


@dataclass(frozen=True)
class Negation:
    """True where its part is not."""

    part: "Query"


@dataclass(frozen=True)
class Combination:
    """True where all its parts are, or any."""

    needs: Literal["all", "any"]
    parts: tuple["Query", ...]


Query = Word | Negation | Combination


def parse_query(text: str) -> Query:
    """What a query asks for. Safe to call from several threads.

    Raises:
        QueryError: it is not understood.
    """
    if len(text) > MAX_CHARS:
        raise QueryError(f"{len(text)} characters, at most {MAX_CHARS} are taken")
    try:
        return _converted(parse(_as_lucene(text)), 0)
    except ParseError as error:
        raise QueryError(f"not understood: {error}; write for example: 苹果 AND (发布 OR 新品) NOT 苹果汁") from error


def is_true(query: Query, occurring: Container[str]) -> bool:
    """Whether the query holds where exactly these folded words occur."""
    if isinstance(query, Word):
        return query.word in occurring
    if isinstance(query, Negation):
        return not is_true(query.part, occurring)
    found = (is_true(part, occurring) for part in query.parts)
    return all(found) if query.needs == "all" else any(found)


def words_of(query: Query) -> Iterator[str]:
    """Every folded word of a query, repeats included."""
    if isinstance(query, Word):
        yield query.word
    elif isinstance(query, Negation):
        yield from words_of(query.part)
    else:
        for part in query.parts:
            yield from words_of(part)


def wanted_words(query: Query, *, is_wanted: bool = True) -> Iterator[str]:
    """The folded words whose occurrence can make the query true: those under no NOT, or under two."""
    if isinstance(query, Word):
        if is_wanted:
            yield query.word
    elif isinstance(query, Negation):
        yield from wanted_words(query.part, is_wanted=not is_wanted)
    else:
        for part in query.parts:
            yield from wanted_words(part, is_wanted=is_wanted)


def _as_lucene(text: str) -> str:
    """The query with Chinese operators, brackets and quotes as luqum knows them; what is quoted stays as it is."""
    parts, place = [], 0
    for match in _QUOTED.finditer(text):
        quote = match[0]
        if quote[0] == quote[-1] == '"':
            inner = quote[1:-1]
        elif len(quote) > 1 and quote[-1] == _QUOTES[quote[0]]:
            inner = quote[1:-1].replace('"', '\\"')
        else:
            raise QueryError(f"the quotation mark {quote[0]} is never closed")
        parts += [_unquoted(text[place : match.start()]), f'"{inner}"']
        place = match.end()
    return "".join([*parts, _unquoted(text[place:])])


def _unquoted(text: str) -> str:
    return "".join(_operator(token) for token in _TOKEN.findall(text.translate(_WRITTEN)))


def _operator(token: str) -> str:
    if token in _MISTAKEN:
        raise QueryError(f"write {token.upper()} in capitals, or in quotes where the word is meant")
    return _OPERATORS.get(token, token)


def _converted(node: tree.Item, depth: int) -> Query:
    if depth > MAX_DEPTH:
        raise QueryError(f"more than {MAX_DEPTH} parts within each other")
    if isinstance(node, tree.Term):
        return _word(node)
    if isinstance(node, tree.Not | tree.Prohibit):
        return Negation(_converted(node.a, depth + 1))
    if isinstance(node, tree.Group | tree.Plus):
        return _converted(node.children[0], depth + 1)
    if isinstance(node, tree.AndOperation | tree.UnknownOperation | tree.OrOperation):
        needs: Literal["all", "any"] = "any" if isinstance(node, tree.OrOperation) else "all"
        return Combination(needs, tuple(_converted(part, depth + 1) for part in node.children))
    reason = next((reason for kind, reason in _REFUSED.items() if isinstance(node, kind)), "not understood")
    raise QueryError(f"{str(node).strip()}: {reason}")


def _word(node: tree.Term) -> Word:
    value = node.value
    if isinstance(node, tree.Regex):
        raise QueryError(f"{value}: {_REFUSED[tree.Regex]}")
    if isinstance(node, tree.Phrase):
        value = value[1:-1]
    elif node.has_wildcard():
        raise QueryError(f"{value}: * and ? are not understood; put the word in quotes")
    folded = fold(_ESCAPED.sub(r"\1", value)).text.strip()
    if not folded:
        raise QueryError(f"{node.value}: there is no word in it")
    return Word(folded)
