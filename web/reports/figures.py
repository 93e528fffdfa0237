"""What a daily or weekly report tells, read in one transaction: counts, stories, incidents, documents, models."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from alerts.reasons.representatives import Candidate, Reason, choose
from alerts.rendering.excerpts import excerpt
from storage import excess_documents, queries, report_counts
from storage.bucket_counts import Counted, Dimension
from storage.excess_counts import Scope
from storage.excess_documents import CountedDocument
from storage.queries import Incident
from storage.report_counts import Group, Promotion, Tally
from web.reports.periods import Period

MOST_READ: Final = 3000  # negative voices that are looked at for notable ones, and as many copies for stories
MOST_STORIES: Final = 8
MOST_NOTABLE: Final = 6
MOST_INCIDENTS: Final = 50
REFERENCES: Final = 3  # documents that a line names
TITLE_CHARS: Final = 100
SAME_TEXT_CHARS: Final = 60
DIMENSIONS: Final[tuple[Dimension, ...]] = ("topic", "source", "lang")


@dataclass(frozen=True, slots=True)
class Line:
    """A group with documents that show it."""

    group: Group
    ids: list[str]


@dataclass(frozen=True, slots=True)
class Story:
    """A text that was copied in the period; counted once however many carry it.

    Attributes:
        documents: that carry it, in the period.
        negative: of these.
        id: of its earliest document, whenever that was.
    """

    title: str
    id: str
    documents: int
    negative: int


@dataclass(frozen=True, slots=True)
class Notable:
    """A negative voice that stands for many."""

    id: str
    published_at: datetime
    source: str
    title: str | None
    text: str
    score: float
    carriers: int


@dataclass(frozen=True, slots=True)
class Figures:
    """Everything in a report; `voice` is None in one of everything that no watchlist is mentioned in.

    Attributes:
        ids: documents that show the negative voices of the whole period.
        units: per hour of a day or day of a week, all of them, in order.
        of_watchlists: (documents, voices) of all watchlists together.
        is_cut: there were more incidents than are listed.
    """

    period: Period
    watchlist: str | None
    now: Tally
    before: Tally
    ids: list[str]
    units: list[tuple[datetime, Tally]]
    watchlists: list[Line]
    of_watchlists: tuple[int, int]
    groups: dict[Dimension, list[Line]]
    stories: list[Story]
    incidents: list[Incident]
    is_cut: bool
    notable: list[Notable]
    promotions: list[Promotion]

    @property
    def document_ids(self) -> list[str]:
        """Every document that it names, once, in the order of the report."""
        named = [*self.ids]
        for lines in (self.watchlists, *self.groups.values()):
            named += [one for line in lines for one in line.ids]
        named += [story.id for story in self.stories] + [one.id for one in self.notable]
        return list(dict.fromkeys(named))


def read_figures(connection: Connection, period: Period, watchlist: str | None) -> Figures:
    """The caller gives a transaction with one snapshot, so that all figures are of one moment."""
    span, before = period.span, period.before
    scope = Scope({"watchlist": (watchlist,)} if watchlist is not None else {}, "negative")
    notable = _notable(connection, scope, span.start, span.end)
    found = queries.incidents(connection, span=span, limit=500)
    mine = [one for one in found if watchlist is None or one.labels.get("watchlist") == watchlist]
    mine = [one for one in mine if one.starts_at < span.end and one.state != "pending"]
    units = report_counts.per_unit(
        connection, span, watchlist, "hour" if period.kind == "daily" else "day", str(period.zone)
    )
    return Figures(
        period=period,
        watchlist=watchlist,
        now=report_counts.tally(connection, span, watchlist),
        before=report_counts.tally(connection, before, watchlist),
        ids=[one.id for one in notable[:REFERENCES]],
        units=[(at, units.get(at, Tally())) for at in period.starts()],
        watchlists=_lines(connection, "watchlist", period, None),
        of_watchlists=report_counts.mentions_of_all(connection, span),
        groups={by: _lines(connection, by, period, watchlist) for by in DIMENSIONS},
        stories=_stories(connection, Scope(scope.where, "total"), span.start, span.end),
        incidents=mine[:MOST_INCIDENTS],
        is_cut=len(mine) > MOST_INCIDENTS,
        notable=notable,
        promotions=report_counts.promotions(connection, span),
    )


def _lines(connection: Connection, by: Dimension, period: Period, watchlist: str | None) -> list[Line]:
    span = period.span
    found = report_counts.groups(connection, by, span, period.before, watchlist)
    scope = Scope({"watchlist": (watchlist,)} if watchlist is not None else {}, "total")
    lines = []
    for group in found:
        counted: Counted = "negative" if group.now.negative_voices else "total"
        narrowed = Scope({**scope.where, by: (group.key,)}, counted)
        some = excess_documents.sample(connection, narrowed, span.start, span.end, most=REFERENCES)
        lines.append(Line(group, [one.id for one in some.documents]))
    return lines


def _stories(connection: Connection, scope: Scope, start: datetime, end: datetime) -> list[Story]:
    """Those of which most copies were published in the period; found in a sample where there are many copies, and
    counted one by one."""
    copies = excess_documents.sample(connection, scope, start, end, most=MOST_READ, is_copies=True)
    seen = Counter(one.cluster for one in copies.documents if one.cluster is not None)
    likely = sorted(seen, key=lambda cluster: (-seen[cluster], cluster))[:MOST_STORIES]
    known = excess_documents.clusters(connection, likely)
    told = []
    for cluster in likely:
        if cluster not in known:
            continue
        buckets = excess_documents.cluster_buckets(connection, cluster, scope, end - start, start, end)
        title = known[cluster].title or next(one.text for one in copies.documents if one.cluster == cluster)
        documents, negative = sum(one.total for one in buckets), sum(one.negative for one in buckets)
        told.append(Story(excerpt(title, TITLE_CHARS), known[cluster].voice, documents, negative))
    return sorted(told, key=lambda one: (-one.documents, one.id))


def _notable(connection: Connection, scope: Scope, start: datetime, end: datetime) -> list[Notable]:
    """Negative voices that cover the period: each stands for the most that no earlier one does."""
    voices = excess_documents.sample(connection, scope, start, end, most=MOST_READ).documents
    weights = Counter(feature for one in voices for feature in _features(one))
    candidates = [
        Candidate(one.id, one.published_at, _beginning(one.text), _features(one), one.score) for one in voices
    ]
    chosen = [one for one, _ in choose(candidates, weights, most=MOST_NOTABLE)]
    shown = excess_documents.examples(connection, [(one.published_at, one.id) for one in chosen])
    scores = {one.id: one.score for one in chosen}
    return [
        Notable(
            one.id,
            one.published_at,
            one.source,
            excerpt(one.title, TITLE_CHARS) if one.title else None,
            excerpt(one.text),
            scores[one.id],
            one.carriers,
        )
        for one in shown
    ]


def _features(one: CountedDocument) -> Sequence[tuple[Reason, str]]:
    return ("topic", one.topic), ("source", one.source)


def _beginning(text: str) -> str:
    return "".join(c for c in text.casefold() if c.isalnum())[:SAME_TEXT_CHARS]
