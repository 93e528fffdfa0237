"""What a watchlist would match among the newest stored documents: beside what it matches now, and what it just
misses, with the condition that keeps it out. Changes nothing."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Final

from sqlalchemy import Connection

from core.texts import whole_text
from core.watchlists import Rule, Span, Watchlist, Watchlists
from storage.stored_documents import StoredDocument, newest
from web.highlighting import Piece, pieces

TRIED_DOCUMENTS: Final = 2000  # the newest: a second of work at most
SHOWN: Final = 8  # of each list
SHOWN_MISSED: Final = 12  # with what keeps them out
BEFORE: Final = 60  # characters of a text that are shown before its first mention ...
AROUND: Final = 240  # ... and in all
MOST_BLAMED: Final = 200  # words of `exclude` and `must` that are tried one by one
A_DAY: Final = timedelta(days=1)
SHORTEST: Final = timedelta(hours=1)  # of a sample, to say from it how many there are a day

CONDITIONS: Final = ("sources", "langs", "must", "query", "exclude")
"""What can keep out a document in which a word of `any` occurs, in the order it is said."""


@dataclass(frozen=True, slots=True)
class Found:
    """A document as the preview shows it.

    Attributes:
        pieces: the surroundings of the first mention, cut where mentions begin and end.
        why, word: of one that is just missed, the condition that keeps it out, and which of its words.
    """

    id: str
    source: str
    lang: str
    published_at: datetime
    pieces: Sequence[Piece]
    is_cut: tuple[bool, bool]
    why: str = ""
    word: str = ""


@dataclass(frozen=True, slots=True)
class Trial:
    """What was found.

    Attributes:
        read, since, until: how many documents were looked at, and their time.
        a_day: how many a day there would be, from the sample; None where it is too short to say.
        saved: how many the saved version matches; None where there is none.
        gained, lost: against the saved version, and how many in all.
        missed: the nearest misses; `why_missed`: how many by condition.
    """

    read: int
    since: datetime | None
    until: datetime | None
    matched: int
    a_day: float | None
    shown: Sequence[Found]
    saved: int | None
    gained: tuple[int, Sequence[Found]]
    lost: tuple[int, Sequence[Found]]
    missed: Sequence[Found]
    why_missed: Mapping[str, int]


def try_watchlist(connection: Connection, wanted: Watchlist, saved: Watchlist | None) -> Trial:
    """Match both against the newest documents, in one pass over each."""
    subject = Rule(wanted).subject
    tried = [replace(wanted, name="wanted"), Watchlist("subject", any=subject)]
    tried += [_only(wanted, subject, condition) for condition in CONDITIONS]
    if saved is not None:
        tried.append(replace(saved, name="saved"))
    watched = Watchlists(tried)
    documents = newest(connection, TRIED_DOCUMENTS)
    now, before, missed = dict[int, list[Span]](), dict[int, list[Span]](), dict[int, tuple[str, list[Span]]]()
    for nth, one in enumerate(documents):
        found = watched.find(_text(one), source=one.source, lang=one.lang)
        if "wanted" in found:
            now[nth] = found["wanted"]
        elif "subject" in found:
            why = next((name for name in CONDITIONS if name not in found), "together")
            missed[nth] = (why, found["subject"])
        if "saved" in found:
            before[nth] = found["saved"]
    gained = [nth for nth in now if nth not in before] if saved is not None else []
    lost = [nth for nth in before if nth not in now]
    times = [one.published_at for one in documents]
    blame = _Blame(wanted, subject)
    return Trial(
        read=len(documents),
        since=min(times, default=None),
        until=max(times, default=None),
        matched=len(now),
        a_day=_a_day(len(now), times),
        shown=[_found(documents[nth], spans) for nth, spans in islice(now.items(), SHOWN)],
        saved=None if saved is None else len(before),
        gained=(len(gained), [_found(documents[nth], now[nth]) for nth in gained[:SHOWN]]),
        lost=(len(lost), [_found(documents[nth], before[nth]) for nth in lost[:SHOWN]]),
        missed=[
            replace(_found(documents[nth], spans), why=why, word=blame.word(documents[nth], why))
            for nth, (why, spans) in islice(missed.items(), SHOWN_MISSED)
        ],
        why_missed=Counter(why for why, _ in missed.values()),
    )


def _only(wanted: Watchlist, subject: Sequence[str], condition: str) -> Watchlist:
    """The words sought, with one of the conditions and no other."""
    return replace(Watchlist(condition, any=tuple(subject)), **{condition: getattr(wanted, condition)})


class _Blame:
    """Which of the words of a condition keeps a document out, by trying each by itself."""

    def __init__(self, wanted: Watchlist, subject: Sequence[str]) -> None:
        self._words = {name: getattr(wanted, name)[:MOST_BLAMED] for name in ("exclude", "must")}
        self._watched = Watchlists(
            Watchlist(
                f"{name} {nth}",
                any=tuple(subject),
                exclude=(word,) if name == "exclude" else (),
                must=(word,) if name == "must" else (),
            )
            for name, words in self._words.items()
            for nth, word in enumerate(words)
        )

    def word(self, document: StoredDocument, why: str) -> str:
        """The first such word; empty where the condition has none."""
        if why not in self._words:
            return ""
        found = self._watched.find(_text(document), source=document.source, lang=document.lang)
        return next((word for nth, word in enumerate(self._words[why]) if f"{why} {nth}" not in found), "")


def _text(one: StoredDocument) -> str:
    return whole_text(one.title, one.text, one.quoted_text)


def _a_day(matched: int, times: Sequence[datetime]) -> float | None:
    if not times or (length := max(times) - min(times)) < SHORTEST:
        return None
    return matched / (length / A_DAY)


def _found(one: StoredDocument, spans: Sequence[Span]) -> Found:
    text = _text(one)
    start = max(0, spans[0].start - BEFORE)
    end = min(len(text), max(start + AROUND, min(spans[0].end, start + 2 * AROUND)))
    cut = pieces(text, {"mention": list(spans)}, start, end)
    return Found(one.id, one.source, one.lang, one.published_at, cut, (start > 0, end < len(text)))
