"""Filling the queue of documents to label: what waits, what is missing, and one draw that answers it."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final

import numpy as np
from sqlalchemy import Connection, Engine

from alerts.detection.intervals import predictive_interval
from alerts.rulebook.merging import rulebook
from core.settings import SamplingSettings
from core.texts import part_of, text_hash
from models.sampling import Chosen, Reason, alert_impact, choose, uncertainty
from models.text_vectors import Floats, text_vectors
from storage import excess_documents, incidents, label_candidates, label_queue_filling
from storage.excess_counts import Scope
from storage.incidents import IncidentRow
from storage.label_candidates import Candidate, Key
from storage.label_queue_filling import NewEntry

MOST_INCIDENTS: Final = 10  # the latest: more at once are told as one thing anyway
MOST_OF_INCIDENT: Final = 100
MOST_KNOWN: Final = 500  # labelled texts that new ones should be unlike
LONGEST: Final = timedelta(hours=6)  # of an incident, its newest part
USUAL_DISPERSION: Final = 1.5  # of counts around what is expected; the border need not be known to the document


@dataclass(frozen=True, slots=True)
class Filled:
    """What a fill did.

    Attributes:
        is_ours: False: another fill was at work, and nothing was done.
        drawn: candidates that were looked at.
        added, dropped: documents, by reason and by cause.
    """

    is_ours: bool = True
    drawn: int = 0
    added: dict[str, int] = field(default_factory=dict)
    dropped: dict[str, int] = field(default_factory=dict)


def shares_of(settings: SamplingSettings) -> dict[Reason, float]:
    """What part of the queue is of which reason; together 1."""
    given: dict[Reason, float] = {
        "random": settings.random_share,
        "alert": settings.alert_share,
        "diverse": settings.diverse_share,
    }
    return {**given, "uncertain": max(0.0, 1 - sum(given.values()))}


def missing(waiting: Mapping[Reason, int], settings: SamplingSettings, *, has_incidents: bool) -> dict[Reason, int]:
    """How many documents of each reason the queue is short of. What incidents leave goes to the uncertain ones."""
    wanted = {reason: round(settings.length * share) for reason, share in shares_of(settings).items()}
    if not has_incidents:
        wanted["uncertain"] += wanted.pop("alert")
    return {reason: max(0, count - waiting.get(reason, 0)) for reason, count in wanted.items()}


def fill(
    engine: Engine,
    settings: SamplingSettings,
    now: datetime,
    chance: Random,
    vectors_of: Callable[[Sequence[str]], Floats] = text_vectors,
) -> Filled:
    """Drop what is stale and top the queue up. Blocks for seconds, most of them outside any transaction, so nobody
    who asks for a document waits for it.

    A document comes in at most once, ever; of copies, the earliest.

    Args:
        vectors_of: texts to vectors of length 1, near where texts are alike.
    """
    with label_queue_filling.only_fill(engine) as is_ours:
        if not is_ours:
            return Filled(is_ours=False)
        with engine.begin() as connection:
            newest = label_candidates.newest_minute(connection, now)
            judge = label_candidates.newest_judge(connection, newest) if newest else None
            dropped = label_queue_filling.drop_stale(connection, before=now - settings.keep, now=now, judge=judge)
        if newest is None:
            return Filled(dropped=dropped)
        with engine.begin() as connection:
            read = _read(connection, settings, newest + timedelta(minutes=1), chance)
        chosen = _chosen(read, judge, chance, vectors_of)
        entries = [_entry(read.found[one.index], one, read.impacts, settings.double_share) for one in chosen]
        with engine.begin() as connection:
            label_queue_filling.add(connection, entries, shares_of(settings))
    return Filled(True, len(read.found), dict(Counter(one.reason for one in chosen)), dropped)


@dataclass(frozen=True, slots=True)
class _Read:
    """What a fill goes by; nothing was read where nothing is wanted."""

    wanted: Mapping[Reason, int]
    found: list[Candidate] = field(default_factory=list)
    drawn: set[Key] = field(default_factory=set)
    impacts: Mapping[Key, "_Impact"] = field(default_factory=dict)
    known: list[str] = field(default_factory=list)


def _read(connection: Connection, settings: SamplingSettings, until: datetime, chance: Random) -> _Read:
    impacts = _alerting(connection)
    waiting = label_queue_filling.waiting(connection)
    wanted = missing(waiting, settings, has_incidents=bool(impacts))
    if not any(wanted.values()):
        return _Read(wanted)
    keys = label_candidates.draw(connection, until - settings.recent, until, settings.candidates, chance)
    found = label_candidates.candidates(connection, sorted({*keys, *impacts}))
    known = [*label_candidates.newest_labelled(connection, MOST_KNOWN), *label_candidates.queued_texts(connection)]
    return _Read(wanted, found, set(keys), impacts, known)


@dataclass(frozen=True, slots=True)
class _Impact:
    value: float
    incident: int


def _alerting(connection: Connection) -> dict[Key, _Impact]:
    """Documents that what goes on may hang on: by key, the most that one answer could do to an incident."""
    rules = rulebook(connection).rules
    found: dict[Key, _Impact] = {}
    for row in sorted(incidents.firing(connection), key=lambda row: row.last_fired_at)[-MOST_INCIDENTS:]:
        rule = rules.get(row.rule)
        if rule is None or rule.counted != "negative" or not rule.makes(row.labels):
            continue  # silent sources, dead letters and volumes do not hang on what is said
        scope = Scope(rule.scope(row.labels), "total")  # those that are not counted could be, too
        start, end = _window(row)
        for document in excess_documents.sample(connection, scope, start, end, most=MOST_OF_INCIDENT).documents:
            value = alert_impact(document.score, is_counted=document.score > 0.5, distance=_distance(row))
            key = (document.published_at, document.id)
            if key not in found or found[key].value < value:
                found[key] = _Impact(value, row.id)
    return found


def _window(row: IncidentRow) -> tuple[datetime, datetime]:
    until = max(row.last_fired_at, row.starts_at) + timedelta(minutes=1)
    return max(row.starts_at - timedelta(minutes=1), until - LONGEST), until


def _distance(row: IncidentRow) -> float:
    """Documents between what was observed and what would have been nothing unusual."""
    _, usual_at_most = predictive_interval(max(row.expected, 0.01), USUAL_DISPERSION)
    return row.observed - usual_at_most


def _chosen(
    read: _Read, judge: str | None, chance: Random, vectors_of: Callable[[Sequence[str]], Floats]
) -> list[Chosen]:
    found = read.found
    if not found:
        return []
    vectors = vectors_of([one.text for one in found] + read.known)
    sentiment = uncertainty([one.sentiment_scores for one in found])
    unsure = ((sentiment + _topic_uncertainty(found)) / 2).astype(np.float32)
    return choose(
        unsure,
        vectors[: len(found)],
        read.wanted,
        np.random.default_rng(chance.getrandbits(64)),
        impacts={index: read.impacts[one.key].value for index, one in enumerate(found) if one.key in read.impacts},
        only_alert=[index for index, one in enumerate(found) if one.key not in read.drawn],
        not_by_score=[index for index, one in enumerate(found) if one.is_queued or one.model_version != judge],
        covered=vectors[len(found) :],
    )


def _topic_uncertainty(found: list[Candidate]) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Models differ in how many topics they know, so each document by itself."""
    return np.array([uncertainty([list(one.topic_scores.values()) or [1.0]])[0] for one in found], dtype=np.float32)


def _entry(one: Candidate, chosen: Chosen, impacts: Mapping[Key, _Impact], double_share: float) -> NewEntry:
    topic = max(one.topic_scores.items(), key=lambda item: item[1], default=("", 1.0))
    detail: dict[str, Any] = {
        "sentiment": one.sentiment,
        "sentiment_score": round(max(one.sentiment_scores), 4),
        "topic": topic[0],
        "topic_score": round(topic[1], 4),
    }
    if chosen.reason == "alert":
        detail["incident"] = impacts[one.key].incident
    return NewEntry(
        document_id=one.document_id,
        published_at=one.published_at,
        reason=chosen.reason,
        score=round(chosen.score, 4),
        detail=detail,
        model_version=one.model_version,
        cluster=one.cluster,
        wanted=2 if part_of(text_hash(one.document_id)) < double_share else 1,
    )
