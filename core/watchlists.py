"""Watchlists: which brands, companies or themes a text speaks of, and where.

A watchlist has a name and words, which are found in normalised text (`core.folding`): those of a script with spaces
only as whole words ("AI" is not in "training"), the others anywhere. A text matches when all of this holds:

1. One of `any` occurs freely: not inside an occurrence of an `exclude` phrase. Hidden occurrences do not count.
2. All of `must` occur, anywhere, and `query` is true of the words that occur anywhere.
3. No `exclude` phrase stands by itself: each occurrence of one has an occurrence of `any` within it. So with
   `any: 苹果` and `exclude: 苹果汁`, juice alone is no match, and a company that serves juice is one, mentioned once.
   An `exclude` phrase that has no word of `any` in it, or only touches or overlaps one, keeps the text out.
4. `sources` and `langs`, where given, name the document's.

A watchlist without `any` is about its `must` words and the words its query asks for: rules 1 and 3 go by them, and
their occurrences are the mentions. Of free occurrences that overlap, the leftmost and then longest is a mention.
Watchlists do not disturb each other: "苹果" of one is found inside "苹果手机" of another.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, chain
from typing import NamedTuple

from ahocorasick_rs import AhoCorasick

from core.folding import Folded, fold, is_word
from core.watchlist_queries import Query, is_true, parse_query, wanted_words, words_of


class Span(NamedTuple):
    """Half-open, in characters of the text as it came."""

    start: int
    end: int


@dataclass(frozen=True)
class Watchlist:
    """Something to watch; the module's docstring has the rules. `core.watchlist_entries` refuses what cannot be used.

    Attributes:
        any, must, exclude: words and phrases; none is blank.
        query: see `core.watchlist_queries`; empty asks for nothing.
        sources: as documents name them, in any case; empty takes all.
        langs: `zh` takes `zh-TW` too; empty takes all.
    """

    name: str
    any: tuple[str, ...] = ()
    must: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    query: str = ""
    sources: tuple[str, ...] = ()
    langs: tuple[str, ...] = ()


Place = tuple[int, int]
"""Half-open, in characters of the folded text."""


class Rule:
    """A watchlist made ready: its words folded, its query read."""

    def __init__(self, watchlist: Watchlist) -> None:
        """Raises:
        QueryError: the query is not understood.
        """
        self.name = watchlist.name
        self.query: Query | None = parse_query(watchlist.query) if watchlist.query else None
        self.must = _folded(watchlist.must)
        self.exclude = _folded(watchlist.exclude)
        wanted = wanted_words(self.query) if self.query else ()
        self.subject = _folded(watchlist.any) or tuple(dict.fromkeys([*self.must, *wanted]))
        self._sources = frozenset(source.casefold() for source in watchlist.sources)
        self._langs = frozenset(lang.casefold() for lang in watchlist.langs)
        conditions = (watchlist.must, watchlist.query, watchlist.exclude, watchlist.sources, watchlist.langs)
        self.is_plain = not any(conditions)

    @cached_property
    def words(self) -> frozenset[str]:
        """Everything that has to be looked for."""
        asked = words_of(self.query) if self.query else ()
        return frozenset([*self.subject, *self.must, *self.exclude, *asked])

    @property
    def is_met_without_words(self) -> bool:
        """Whether a text in which nothing occurs would match; such a rule is never tried."""
        return not self.subject or (not self.must and self.query is not None and is_true(self.query, ()))

    def mentions(
        self, subject: Sequence[Place], found: Mapping[str, Sequence[Place]], source: str, lang: str
    ) -> Sequence[Place]:
        """The free occurrences of a text that matches, else nothing.

        Args:
            subject: where its subject's words occur; not empty.
            found: every occurrence of every word.
        """
        if self._sources and source.casefold() not in self._sources:
            return ()
        if self._langs and not self._speaks(lang.casefold()):
            return ()
        if any(word not in found for word in self.must):
            return ()
        if self.query is not None and not is_true(self.query, found):
            return ()
        hiding = [place for word in self.exclude for place in found.get(word, ())]
        if not hiding:
            return subject
        return () if _one_stands_alone(hiding, subject) else _free(subject, hiding)

    def _speaks(self, lang: str) -> bool:
        return lang in self._langs or lang.partition("-")[0] in self._langs


class Watchlists:
    """Finds all watchlists in one pass over a text, however many there are. Immutable."""

    def __init__(self, watchlists: Iterable[Watchlist] = ()) -> None:
        """Args:
        watchlists: with names of their own, and such as `core.watchlist_entries` lets through.

        Raises:
            QueryError: a query is not understood.
        """
        self._set([Rule(watchlist) for watchlist in watchlists])

    @classmethod
    def of(cls, rules: Iterable[Rule]) -> "Watchlists":
        """Of rules made before, so that whoever changes one of ten thousand need not read all queries again."""
        made = cls()
        made._set(list(rules))
        return made

    def _set(self, rules: list[Rule]) -> None:
        self._rules = rules
        self._words = list(dict.fromkeys(word for rule in rules for word in rule.words))
        self._edges = [(is_word(word[0]), is_word(word[-1])) for word in self._words]
        self._owners: dict[str, list[int]] = {}
        for number, rule in enumerate(rules):
            for word in rule.subject:
                self._owners.setdefault(word, []).append(number)
        self._automaton = AhoCorasick(self._words) if self._words else None

    def __len__(self) -> int:
        return len(self._rules)

    @property
    def names(self) -> list[str]:
        """Of the watchlists, in their order."""
        return [rule.name for rule in self._rules]

    def find(self, text: str, *, source: str = "", lang: str = "") -> dict[str, list[Span]]:
        """The watchlists that a document matches, by name and in their order; each with its mentions in `text`,
        ascending and without overlap."""
        if self._automaton is None:
            return {}
        folded = fold(text)
        found = self._occurrences(self._automaton, folded.text)
        subjects: dict[int, list[Sequence[Place]]] = {}
        for word, places in found.items():
            for owner in self._owners.get(word, ()):
                subjects.setdefault(owner, []).append(places)
        matched = {}
        for owner in sorted(subjects):
            rule, subject = self._rules[owner], list(chain.from_iterable(subjects[owner]))
            if free := subject if rule.is_plain else rule.mentions(subject, found, source, lang):
                matched[rule.name] = _without_overlap(_original(folded, free))
        return matched

    def _occurrences(self, automaton: AhoCorasick, text: str) -> dict[str, list[Place]]:
        """Where each word stands; a word of a script with spaces counts only whole."""
        found: dict[str, list[Place]] = {}
        for number, start, end in automaton.find_matches_as_indexes(text, overlapping=True):
            begins_word, ends_word = self._edges[number]
            if begins_word and start and is_word(text[start - 1]):
                continue
            if ends_word and end < len(text) and is_word(text[end]):
                continue
            found.setdefault(self._words[number], []).append((start, end))
        return found


def _folded(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(fold(word).text.strip() for word in words))


def _free(subject: Sequence[Place], hiding: Sequence[Place]) -> list[Place]:
    """The places that lie in none of `hiding`; time grows with the number of both, not with their product."""
    ordered = sorted(hiding)
    starts = [start for start, _ in ordered]
    reach = list(accumulate((end for _, end in ordered), max))  # the farthest end of those that begin up to here

    def is_hidden(start: int, end: int) -> bool:
        before = bisect_left(starts, start + 1)
        return before > 0 and reach[before - 1] >= end

    return [place for place in subject if not is_hidden(*place)]


def _one_stands_alone(hiding: Sequence[Place], subject: Sequence[Place]) -> bool:
    """Whether one of `hiding` has no place of `subject` in it."""
    ordered = sorted(subject)
    starts = [start for start, _ in ordered]
    nearest = list(accumulate((end for _, end in reversed(ordered)), min))[::-1]  # end of those from here on

    def is_alone(start: int, end: int) -> bool:
        after = bisect_left(starts, start)
        return after == len(starts) or nearest[after] > end

    return any(is_alone(*place) for place in hiding)


def _original(folded: Folded, places: Sequence[Place]) -> list[Span]:
    starts, ends = folded.starts, folded.ends
    return [Span(starts[start], ends[end - 1]) for start, end in places]


def _without_overlap(spans: list[Span]) -> list[Span]:
    """The leftmost, of those that begin together the longest, and so on after its end."""
    if len(spans) == 1:
        return spans
    chosen: list[Span] = []
    for span in sorted(spans, key=lambda span: (span.start, -span.end)):
        if not chosen or span.start >= chosen[-1].end:
            chosen.append(span)
    return chosen
