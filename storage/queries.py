"""What the console, the demo and scripts read: age, fates, incidents, documents, the champion.

Plain functions on a connection; counts over time are in `storage.series`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Subquery, case, func, or_, select, text, true, tuple_

from core.errors import NotFoundError
from core.records import AlertStatus, Kind
from core.taxonomy import Sentiment
from core.windows import MINUTE, floor_to
from storage import people_verdicts
from storage.incidents import STATES
from storage.offset_ledger import totals
from storage.people_verdicts import PeopleVerdict
from storage.series import COLUMNS, EVERYTHING, Filters, Span, counted_in
from storage.tables import (
    document,
    document_key,
    evidence,
    incident,
    incident_event,
    mention,
    model_promotion,
    model_version,
    notification,
    offset_ledger,
    opinion_minute,
)

EXCERPT_CHARS = 2_000  # more of a text than this is not sent to a list


@dataclass(frozen=True, slots=True)
class Freshness:
    """How old the data are. None: there are none.

    Attributes:
        oldest_bucket_at: the first minute of event time that holds a document.
        newest_bucket_at: the last one.
        settled_at: when a worker last committed a batch (the machine's clock, not event time).
    """

    oldest_bucket_at: datetime | None
    newest_bucket_at: datetime | None
    settled_at: datetime | None


@dataclass(frozen=True, slots=True)
class Fates:
    """Records settled since the beginning, by fate, and how many of them in the last minute of the clock."""

    stored: int
    repeats: int
    revisions: int
    dead_lettered: int
    last_minute: int

    @property
    def records(self) -> int:
        return self.stored + self.repeats + self.revisions + self.dead_lettered


@dataclass(frozen=True, slots=True)
class Incident:
    """A surge; times are of the event clock. `labels` is its identity, `annotations` prose for people."""

    id: int
    rule: str
    labels: dict[str, str]
    severity: str
    status: str
    starts_at: datetime
    ends_at: datetime | None
    detected_at: datetime
    last_fired_at: datetime
    observed: float
    expected: float
    score: float
    annotations: dict[str, Any]
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    state: str
    owner: str | None
    closed_at: datetime | None
    closed_by: str | None


@dataclass(frozen=True, slots=True)
class IncidentEvent:
    """One step in the life of an incident."""

    at: datetime
    transition: str
    actor: str
    detail: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a notification was based on, frozen when it was made."""

    at: datetime
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Delivery:
    """One notification; the receiver's address is left out, it may hold a secret."""

    channel: str
    status: str
    attempts: int
    created_at: datetime
    delivered_at: datetime | None


@dataclass(frozen=True, slots=True)
class IncidentFile:
    """Everything that is known about one incident; events oldest first, evidence newest first."""

    incident: Incident
    events: list[IncidentEvent]
    evidence: list[Evidence]
    deliveries: list[Delivery]


@dataclass(frozen=True, slots=True)
class DocumentView:
    """A document with its verdict, as a list shows it; `text` is cut after `EXCERPT_CHARS`.

    Attributes:
        people: what people say of it; it goes before the model's verdict, which filters and counts go by.
    """

    id: str
    published_at: datetime
    kind: str
    source: str
    lang: str
    url: str | None
    title: str | None
    text: str
    author: str | None
    parent_id: str | None
    topic_label: str
    sentiment: str
    score_negative: float
    score_neutral: float
    score_positive: float
    topic_uncertain: bool | None
    sentiment_uncertain: bool | None
    model_version: str
    revision: int
    stored_at: datetime
    people: PeopleVerdict | None = None

    @property
    def shown_topic(self) -> str:
        """What people say it is about, else the model."""
        return self.people.topic.answer if self.people and self.people.topic else self.topic_label

    @property
    def shown_sentiment(self) -> str:
        """What people say, else the model."""
        return self.people.sentiment.answer if self.people and self.people.sentiment else self.sentiment


DOCUMENT_COLUMNS = tuple(name for name in DocumentView.__dataclass_fields__ if name != "people")


@dataclass(frozen=True, slots=True)
class Champion:
    """The model that workers use."""

    version: str
    promoted_at: datetime
    promoted_by: str
    reason: str
    origin: str


def freshness(connection: Connection) -> Freshness:
    """How old the data are: three index look-ups."""
    bucket = select(opinion_minute.c.bucket_at).where(opinion_minute.c.total > 0).limit(1)
    return Freshness(
        oldest_bucket_at=connection.scalar(bucket.order_by(opinion_minute.c.bucket_at)),
        newest_bucket_at=connection.scalar(bucket.order_by(opinion_minute.c.bucket_at.desc())),
        settled_at=connection.scalar(
            select(offset_ledger.c.committed_at).order_by(offset_ledger.c.id.desc()).limit(1)
        ),
    )


def fates(connection: Connection) -> Fates:
    """What became of every record the workers read."""
    line = offset_ledger.c
    last_minute = connection.scalar(
        select(func.coalesce(func.sum(line.last_offset - line.first_offset + 1), 0)).where(
            line.committed_at > func.now() - timedelta(minutes=1)
        )
    )
    return Fates(**totals(connection), last_minute=int(last_minute or 0))


def incidents(
    connection: Connection, *, status: AlertStatus | None = None, span: Span | None = None, limit: int = 50
) -> list[Incident]:
    """Incidents, firing ones first, then the newest; with `span` only those that overlap it."""
    wanted: list[ColumnElement[bool]] = [true()]
    if status:
        wanted.append(incident.c.state.in_(STATES[status]))
    if span:
        wanted.append(incident.c.starts_at < span.end)
        wanted.append(or_(incident.c.ends_at.is_(None), incident.c.ends_at >= span.start))
    is_over = case((incident.c.status == "firing", 0), else_=1)
    rows = connection.execute(
        select(*_columns(Incident, incident.c))
        .where(*wanted)
        .order_by(is_over, incident.c.starts_at.desc(), incident.c.id.desc())
        .limit(limit)
    )
    return [Incident(**row._mapping) for row in rows]


def firing_count(connection: Connection) -> int:
    """Incidents that are firing, acknowledged ones among them."""
    query = select(func.count()).select_from(incident).where(incident.c.state.in_(STATES["firing"]))
    return connection.scalar(query) or 0


def one_incident(connection: Connection, incident_id: int) -> Incident:
    """Raises:
    NotFoundError: there is no such incident.
    """
    row = connection.execute(select(*_columns(Incident, incident.c)).where(incident.c.id == incident_id)).first()
    if row is None:
        raise NotFoundError(f"there is no incident {incident_id}", remedy="opinion alerts list")
    return Incident(**row._mapping)


def incident_file(connection: Connection, incident_id: int) -> IncidentFile | None:
    """One incident with its events, evidence and deliveries; None when there is no such incident."""
    row = connection.execute(select(*_columns(Incident, incident.c)).where(incident.c.id == incident_id)).first()
    if row is None:
        return None

    def of_incident(shape: type[Any], table: Any, *order: ColumnElement[Any]) -> Sequence[Row[Any]]:
        wanted = select(*_columns(shape, table.c)).where(table.c.incident_id == incident_id)
        return connection.execute(wanted.order_by(*order)).all()

    events = of_incident(IncidentEvent, incident_event, incident_event.c.id.asc())
    pieces = of_incident(Evidence, evidence, evidence.c.id.desc())
    sent = of_incident(Delivery, notification, notification.c.created_at.asc())
    return IncidentFile(
        Incident(**row._mapping),
        [IncidentEvent(**event._mapping) for event in events],
        [Evidence(**piece._mapping) for piece in pieces],
        [Delivery(**delivery._mapping) for delivery in sent],
    )


def newest_documents(
    connection: Connection,
    *,
    filters: Filters = EVERYTHING,
    sentiment: Sentiment | None = None,
    kind: Kind | None = None,
    span: Span | None = None,
    before: tuple[datetime, str] | None = None,
    limit: int = 50,
) -> list[DocumentView]:
    """Documents, newest first. The minute counts say which minutes hold them; nothing else of `document` is read.

    Args:
        sentiment: where the filters name a watchlist, the sentiment toward it.
        before: `(published_at, id)` of the last document already seen.
    """
    minute = _minutes_with(filters, sentiment, kind, span, before, limit)
    row = document.c
    wanted: list[ColumnElement[bool]] = [
        row.published_at >= minute.c.start,
        row.published_at < minute.c.start + MINUTE,
    ]
    wanted += [row[COLUMNS[group]] == value for group, value in filters.given() if group != "watchlist"]
    if filters.watchlist is not None:
        wanted.append(_mentions(filters.watchlist, sentiment))
    elif sentiment:
        wanted.append(row.sentiment == sentiment)
    if kind:
        wanted.append(row.kind == kind)
    if before:
        wanted.append(tuple_(row.published_at, row.id) < before)
    text = func.left(row.text, EXCERPT_CHARS).label("text")
    in_minute = (
        select(*(text if name == "text" else row[name] for name in DOCUMENT_COLUMNS))
        .where(*wanted)
        .order_by(row.published_at.desc(), row.id.desc())
        .limit(limit)
        .lateral("in_minute")
    )
    found = connection.execute(
        select(in_minute)
        .join_from(minute, in_minute, true())
        .where(minute.c.newer < limit)
        .order_by(in_minute.c.published_at.desc(), in_minute.c.id.desc())
        .limit(limit)
    )
    return with_people(connection, [DocumentView(**one._mapping) for one in found])


def with_people(connection: Connection, found: Sequence[DocumentView]) -> list[DocumentView]:
    """The same documents, each with what people say of it."""
    said = people_verdicts.of_documents(connection, [one.id for one in found])
    return [replace(one, people=said[one.id]) if one.id in said else one for one in found]


def is_known(connection: Connection, document_id: str) -> bool:
    """Whether a document of this id was ever stored."""
    return connection.scalar(select(document_key.c.id).where(document_key.c.id == document_id)) is not None


def _minutes_with(
    filters: Filters,
    sentiment: Sentiment | None,
    kind: Kind | None,
    span: Span | None,
    before: tuple[datetime, str] | None,
    limit: int,
) -> Subquery:
    """Minutes that hold matches, with the number of matches in `newer` minutes.

    `limit` + 1 minutes are always enough: each holds a match, and only the cursor's own may be used up.
    """
    counts = counted_in(filters).c
    start = counts.bucket_at
    matches = counts[sentiment or "total"]
    wanted: list[ColumnElement[bool]] = [matches > 0]
    wanted += [counts[COLUMNS[group]] == value for group, value in filters.given()]
    if kind:
        wanted.append(counts.kind == kind)
    if span:
        wanted += [start >= span.start, start < span.end]
    if before:
        wanted.append(start <= before[0])
    minute = (
        select(start.label("start"), func.sum(matches).label("matches"))
        .where(*wanted)
        .group_by(start)
        .order_by(start.desc())
        .limit(limit + 1)
        .subquery("counted")
    )
    unseen = (
        case((minute.c.start == floor_to(before[0], MINUTE), 0), else_=minute.c.matches)
        if before
        else minute.c.matches
    )
    newer = func.sum(unseen).over(order_by=minute.c.start.desc(), rows=(None, -1))
    return select(minute.c.start, func.coalesce(newer, 0).label("newer")).subquery("minute")


def champion(connection: Connection) -> Champion | None:
    """The newest promotion; None before the first, when workers use the configured checkpoint."""
    row = connection.execute(
        select(
            model_promotion.c.version,
            model_promotion.c.promoted_at,
            model_promotion.c.promoted_by,
            model_promotion.c.reason,
            model_version.c.origin,
        )
        .join(model_version, model_version.c.version == model_promotion.c.version)
        .order_by(model_promotion.c.id.desc())
        .limit(1)
    ).first()
    return Champion(**row._mapping) if row else None


def _mentions(watchlist: str, sentiment: Sentiment | None) -> ColumnElement[bool]:
    of_document = (mention.c.published_at == document.c.published_at) & (mention.c.document_id == document.c.id)
    wanted = select(mention.c.watchlist).where(of_document, mention.c.watchlist == watchlist)
    if sentiment:
        wanted = wanted.where(mention.c.sentiment == sentiment)
    return wanted.offset(0).exists()  # a look-up for each row; as a join it may read all mentions of the watchlist


def _columns(shape: type[Any], columns: Any) -> list[Any]:
    """The columns that a dataclass has fields for."""
    return [columns[name] for name in shape.__dataclass_fields__]


@dataclass(frozen=True, slots=True)
class SourceHealth:
    """A source as `bi.source` shows it.

    Attributes:
        state: new, ok, late, silent or ended.
        first_at, last_at: minutes of its oldest and newest document.
        expected_per_hour: over an average week; None: too little is known.
        chance: of nothing for as long as now, from a source that is well.
    """

    source: str
    state: str
    state_since: datetime | None
    first_at: datetime
    last_at: datetime
    total: int
    expected_per_hour: float | None
    chance: float | None
    is_muted: bool
    muted_until: datetime | None


_SOURCE_HEALTH = text("""
    SELECT c.source, coalesce(s.state, 'new') AS state, s.state_since, c.first_at, c.last_at, c.total,
           (SELECT round(avg(rate)::numeric, 3)::float FROM unnest(s.expected) AS rate) AS expected_per_hour,
           s.chance::float AS chance, coalesce(s.muted_until > now(), false) AS is_muted, s.muted_until
    FROM source_counted AS c LEFT JOIN source AS s ON s.name = c.source
    ORDER BY array_position(ARRAY['silent', 'late', 'ok', 'new', 'ended'], coalesce(s.state, 'new')), c.source
    LIMIT :limit
""")


def source_health(connection: Connection, limit: int = 10_000) -> list[SourceHealth]:
    """Every source, the silent ones first; the same as `bi.source`, from the roll-ups."""
    return [SourceHealth(**row._mapping) for row in connection.execute(_SOURCE_HEALTH, {"limit": limit})]
