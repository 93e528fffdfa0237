"""Reads what an excess is made of, dimension by dimension, and judges again without the largest drivers.

Sources, topics and watchlists come from the minute counts; words from a bounded sample of the voices of the window
(all of them where they are few) and one of the week before; stories from a sample of the window's copies. A story
counts with its voice, as it was judged, and says beside it how many carried it.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Literal, get_args

from sqlalchemy import Connection

from alerts.detection.judgement import Judgement
from alerts.reasons import terms
from alerts.reasons.drivers import Part, decompose
from alerts.rendering.excerpts import excerpt
from storage import excess_counts, excess_documents
from storage.bucket_counts import KeyTotal
from storage.excess_counts import Grouping, Scope
from storage.excess_documents import CountedDocument, Sample

BEFORE: Final = timedelta(days=7)  # drivers are compared with this long before the window
MOST_READ: Final = 3000  # voices of the window that are looked at, and as many copies
MOST_READ_BEFORE: Final = 1000
MOST_STORIES: Final = 8  # are asked who carried them
TITLE_CHARS: Final = 60
MOST_COUNTERFACTUALS: Final = 2  # of each dimension
COUNTERFACTUALS: Final[tuple[Literal["cluster", "source", "topic"], ...]] = ("cluster", "source", "topic")


@dataclass(frozen=True, slots=True)
class Excess:
    """What is to be explained: the window's figures, and where to look."""

    scope: Scope
    start: datetime
    end: datetime
    observed: int
    expected: float


@dataclass
class Explanation:
    """What explains it.

    Attributes:
        drivers, other: by dimension; in each they add up to the excess (`alerts.reasons.drivers`).
        weights: how many voices of the window have a feature, for `alerts.reasons.representatives`.
        words: the driving words.
        clusters: by driver's name, the cluster.
        voices: those of the window that were read.
        comparison: what the window was compared with, and how much was read.
    """

    drivers: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    other: dict[str, dict[str, Any]] = field(default_factory=dict)
    weights: dict[tuple[Any, str], int] = field(default_factory=dict)
    words: list[str] = field(default_factory=list)
    clusters: dict[str, int] = field(default_factory=dict)
    voices: Sequence[CountedDocument] = ()
    comparison: dict[str, Any] = field(default_factory=dict)


def explain(connection: Connection, excess: Excess) -> Explanation:
    """Decompose the excess in every dimension that its scope leaves open."""
    scope, start, end = excess.scope, excess.start, excess.end
    found = Explanation()
    before = _counted(excess, excess_counts.whole(connection, scope, start - BEFORE, start))
    window = excess_documents.sample(connection, scope, start, end, most=MOST_READ)
    past = excess_documents.sample(connection, scope, start - BEFORE, start, most=MOST_READ_BEFORE)
    copies = excess_documents.sample(connection, scope, start, end, most=MOST_READ, is_copies=True)
    found.voices = window.documents
    found.comparison = {
        "starts_at": (start - BEFORE).isoformat(),
        "ends_at": start.isoformat(),
        "negative": before,
        "read": {
            "window": [len(window.documents), window.of],
            "before": [len(past.documents), past.of],
            "copies": [len(copies.documents), copies.of],
        },
    }
    for by in get_args(Grouping):
        if scope.only(by) is None:
            _add(found, by, _groups(connection, by, excess), excess, before)
    _add(found, "cluster", _stories(connection, excess, copies, found), excess, before, is_ranked=True)
    _add(found, "term", _terms(window, past, excess, before, found), excess, before)
    return found


def _add(
    found: Explanation, by: str, parts: Sequence[Part], excess: Excess, before: int, *, is_ranked: bool = False
) -> None:
    if not parts:
        return
    drivers, other = decompose(
        parts, observed=excess.observed, expected=excess.expected, before=before, is_ranked=is_ranked
    )
    if drivers:
        found.drivers[by], found.other[by] = drivers, other
    for part in parts:
        found.weights[by, part.name] = part.negative


def _counted(excess: Excess, there: KeyTotal) -> int:
    return there.judged(excess.scope.counted)[0]


def _groups(connection: Connection, by: Grouping, excess: Excess) -> list[Part]:
    past = excess_counts.per_group(connection, by, excess.scope, excess.start - BEFORE, excess.start)
    before = {group.name: _counted(excess, group) for group in past}
    return [
        Part(group.name, _counted(excess, group), before.get(group.name, 0), {"total": group.independent})
        for group in excess_counts.per_group(connection, by, excess.scope, excess.start, excess.end)
        if _counted(excess, group)
    ]


def _stories(connection: Connection, excess: Excess, copies: Sample, found: Explanation) -> list[Part]:
    """Stories that are copied in the window, the most copied first; a title stands for each."""
    of_cluster: dict[int, list[CountedDocument]] = {}
    for document in copies.documents:
        if document.cluster is not None:
            of_cluster.setdefault(document.cluster, []).append(document)
    carried = sorted(of_cluster.items(), key=lambda one: (-len(one[1]), one[0]))[:MOST_STORIES]
    known = excess_documents.clusters(connection, [cluster for cluster, _ in carried])
    parts = []
    for cluster, documents in carried:
        if cluster not in known:
            continue
        told = known[cluster]
        title = excerpt(told.title or documents[0].text, TITLE_CHARS)
        name = title if title not in found.clusters else f"{title} ({len(found.clusters) + 1})"
        found.clusters[name] = cluster
        now = _of_story(connection, cluster, excess.scope, excess.start, excess.end)
        before = _of_story(connection, cluster, excess.scope, excess.start - BEFORE, excess.start)
        whose = told.voice if told.title else documents[0].id  # whoever is erased takes these words along
        more = {"id": whose, "copies": now.copies, "raw_negative": now.negative}
        parts.append(Part(name, _counted(excess, now), _counted(excess, before), more))
    return parts


def _of_story(connection: Connection, cluster: int, scope: Scope, start: datetime, end: datetime) -> KeyTotal:
    found = excess_documents.cluster_buckets(connection, cluster, scope, end - start, start, end)
    sums = [sum(getattr(one, name) for one in found) for name in ("negative", "total", "negative_copies", "copies")]
    return KeyTotal((), *sums)


def _terms(window: Sample, past: Sample, excess: Excess, before: int, found: Explanation) -> list[Part]:
    now, then = ([terms.words_of(document.text) for document in sample.documents] for sample in (window, past))
    parts = []
    for word, count, count_before in terms.assign(terms.rank(now, then), now, then):
        name = excerpt(word)
        found.words.append(name)
        parts.append(Part(name, _scaled(count, window, excess), count_before / len(then) * before, {}))
    return parts


def _scaled(count: int, window: Sample, excess: Excess) -> int:
    """From the sample to the window; the same where all was read."""
    return round(count * excess.observed / len(window.documents)) if len(window.documents) < window.of else count


def without_drivers(
    connection: Connection, judgement: Judgement, scope: Scope, found: Explanation
) -> list[dict[str, Any]]:
    """Whether the bucket would still have fired without the documents of each of the largest drivers, JSON values.

    The same detector judges the same bucket again; see `Judgement.without` for what stays. `negative` and
    `documents` are the voices that were taken away, of all the buckets that are judged: since `since`.
    """
    bucket, start, end = judgement.options.bucket, judgement.starts_at, judgement.ends_at
    said = []
    for dimension in COUNTERFACTUALS:
        for driver in found.drivers.get(dimension, [])[:MOST_COUNTERFACTUALS]:
            name = driver["name"]
            removed = (
                _story_buckets(connection, found.clusters[name], scope, bucket, start, end)
                if dimension == "cluster"
                else excess_counts.per_bucket(connection, scope.narrowed(dimension, name), bucket, start, end)
            )
            found_without = {"dimension": dimension, "name": name, **_judged_without(judgement, removed)}
            said.append(found_without | ({"id": driver["id"]} if "id" in driver else {}))
    return said


def _story_buckets(
    connection: Connection, cluster: int, scope: Scope, bucket: timedelta, start: datetime, end: datetime
) -> dict[datetime, tuple[int, int]]:
    rows = excess_documents.cluster_buckets(connection, cluster, scope, bucket, start, end)
    return {row.bucket_at: row.judged(scope.counted) for row in rows}


def _judged_without(judgement: Judgement, removed: Mapping[datetime, tuple[int, int]]) -> dict[str, Any]:
    verdict = judgement.without(removed).verdict()
    gone: Counter[str] = Counter()
    for negative, total in removed.values():
        gone.update(negative=negative, documents=total)
    return {
        "since": judgement.starts_at.isoformat(),
        "negative": gone["negative"],
        "documents": gone["documents"],
        "would_fire": verdict.is_firing,
        "score": round(verdict.score, 2),
        "threshold": verdict.threshold,
    }
