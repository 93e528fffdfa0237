"""Everything that is known of one document: its versions, who judged it, who answered, what it was evidence for.

Every reading is by key and bounded; nothing here scans.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, text

from core.taxonomy import SENTIMENTS
from storage.human_labels import READ_TEXT
from storage.queries import DOCUMENT_COLUMNS, EXCERPT_CHARS, DocumentView, with_people
from storage.series import Counts

MOST_VERSIONS: Final = 20
MOST_ANSWERS: Final = 100
MOST_INCIDENTS: Final = 20
MOST_COMMENTS: Final = 10_000  # counted; a page of them is read by itself


@dataclass(frozen=True, slots=True)
class Version:
    """What a document said at one time, and what the model said of that.

    Attributes:
        replaced_at: when a newer crawl took its place; None for the version that stands.
        read_text: what the classifier read: title, text and what it quotes.
    """

    revision: int
    title: str | None
    text: str
    quoted_text: str | None
    read_text: str
    likes: int
    reposts: int
    replies: int
    crawled_at: datetime
    stored_at: datetime
    replaced_at: datetime | None
    topic_label: str
    topic_scores: dict[str, float]
    sentiment: str
    score_negative: float
    score_neutral: float
    score_positive: float
    topic_uncertain: bool | None
    sentiment_uncertain: bool | None
    model_version: str


@dataclass(frozen=True, slots=True)
class WholeDocument:
    """A document and the version that stands. `author` is a pseudonym."""

    id: str
    published_at: datetime
    kind: str
    source: str
    lang: str
    url: str | None
    author: str | None
    parent_id: str | None
    version: Version


@dataclass(frozen=True, slots=True)
class MentionFound:
    """How the document speaks of a watchlist."""

    watchlist: str
    mentions: int
    sentiment: str
    score_negative: float
    score_neutral: float
    score_positive: float
    sentiment_uncertain: bool
    model_version: str


@dataclass(frozen=True, slots=True)
class ShadowVerdict:
    """What a candidate said of it beside the champion, without effect."""

    run_id: int
    candidate: str
    champion: str
    topic: str
    sentiment: str
    score_negative: float
    started_at: datetime


@dataclass(frozen=True, slots=True)
class Rejudging:
    """A reclassification that has passed over this document."""

    job_id: int
    model_version: str
    started_at: datetime
    started_by: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a person said.

    Attributes:
        is_current: of the text as it reads now.
        retracted_by: who took it back; None where it stands.
    """

    id: int
    head: str
    answer: str
    annotator: str
    labelled_at: datetime
    guideline: str
    intake: str
    is_adjudication: bool
    is_current: bool
    retracted_by: str | None


@dataclass(frozen=True, slots=True)
class EvidenceOf:
    """An incident that the document was evidence for, and since when."""

    incident_id: int
    rule: str
    labels: dict[str, str]
    severity: str
    state: str
    starts_at: datetime
    at: datetime


_VERSION: Final = ", ".join(
    f"{READ_TEXT} AS read_text" if name == "read_text" else f"d.{name}"
    for name in Version.__dataclass_fields__
    if name != "replaced_at"
)
_WHOLE_FIELDS: Final = tuple(name for name in WholeDocument.__dataclass_fields__ if name != "version")
_BY_KEY: Final = "FROM document AS d JOIN document_key AS k ON k.published_at = d.published_at AND k.id = d.id"
_WHOLE = text(
    f"SELECT {', '.join(f'd.{name}' for name in _WHOLE_FIELDS)}, {_VERSION}, "  # our own names
    f"CAST(NULL AS timestamptz) AS replaced_at {_BY_KEY} WHERE k.id = :id"
)
_EARLIER = text(
    f"SELECT {_VERSION}, d.replaced_at FROM document_revision AS d WHERE d.id = :id "  # noqa: S608
    "ORDER BY d.revision DESC LIMIT :most"
)
_VIEW = text(
    f"SELECT {', '.join(f'd.{name}' for name in DOCUMENT_COLUMNS if name != 'text')}, "
    f"left(d.text, {EXCERPT_CHARS}) AS text {_BY_KEY} WHERE k.id = :id"
)
_MENTIONS = text(
    f"SELECT {', '.join(MentionFound.__dataclass_fields__)} FROM mention "  # noqa: S608
    "WHERE published_at = :at AND document_id = :id ORDER BY watchlist LIMIT 100"
)
_SHADOWS = text("""
    SELECT v.run_id, r.candidate, r.champion, v.topic_new, v.sentiment_new, v.score_negative_new, r.started_at
    FROM shadow_verdict AS v JOIN shadow_run AS r ON r.id = v.run_id
    WHERE v.document_id = :id ORDER BY v.run_id DESC LIMIT 5
""")
_REJUDGED = text("""
    SELECT id, model_version, started_at, started_by FROM reclassification
    WHERE since <= :at AND (until IS NULL OR until > :at)
      AND (sources = '{}' OR :source = ANY(sources)) AND (watchlists = '{}' OR watchlists && CAST(:about AS text[]))
      AND (status = 'done' OR (reached_at, reached_id) >= (:at, :id))
    ORDER BY id DESC LIMIT 10
""")
_ANSWERS = text("""
    SELECT h.id, h.head, h.answer, h.annotator, h.labelled_at, h.guideline, h.intake, h.is_adjudication,
           h.text = :read_text, r.annotator
    FROM human_label AS h LEFT JOIN human_label AS r ON r.retracts = h.id
    WHERE h.document_id = :id AND h.retracts IS NULL ORDER BY h.id DESC LIMIT :most
""")
# Written as the index `evidence_documents_idx` has it.
_EVIDENCE = text("""
    SELECT i.id, i.rule, i.labels, i.severity, i.state, i.starts_at, min(e.at) FROM evidence AS e
    JOIN incident AS i ON i.id = e.incident_id
    WHERE jsonb_path_query_array(e.body, '$.documents[*].id') ? :id
    GROUP BY i.id ORDER BY i.id DESC LIMIT :most
""")
_COMMENTS = text("""
    SELECT sentiment, count(*) FROM (SELECT sentiment FROM document WHERE parent_id = :id LIMIT :most) AS d GROUP BY 1
""")


def whole(connection: Connection, document_id: str) -> WholeDocument | None:
    """The document with the version that stands; None where there is none of this id."""
    row = connection.execute(_WHOLE, {"id": document_id}).mappings().first()
    if row is None:
        return None
    version = Version(**{name: row[name] for name in Version.__dataclass_fields__})
    return WholeDocument(**{name: row[name] for name in _WHOLE_FIELDS}, version=version)


def earlier_versions(connection: Connection, document_id: str, most: int = MOST_VERSIONS) -> list[Version]:
    """What newer crawls have replaced, the newest first."""
    return [Version(**row._mapping) for row in connection.execute(_EARLIER, {"id": document_id, "most": most})]


def view_of(connection: Connection, document_id: str) -> DocumentView | None:
    """The document as a list shows it."""
    row = connection.execute(_VIEW, {"id": document_id}).first()
    return with_people(connection, [DocumentView(**row._mapping)])[0] if row else None


def mentions_of(connection: Connection, document: WholeDocument) -> list[MentionFound]:
    """Whom it mentions, and how it speaks of each."""
    rows = connection.execute(_MENTIONS, {"at": document.published_at, "id": document.id})
    return [MentionFound(*row) for row in rows]


def shadow_verdicts(connection: Connection, document_id: str) -> list[ShadowVerdict]:
    """What candidates said of it, as long as that is kept; the newest run first."""
    return [ShadowVerdict(*row) for row in connection.execute(_SHADOWS, {"id": document_id})]


def rejudgings(connection: Connection, document: WholeDocument, about: Sequence[str]) -> list[Rejudging]:
    """Reclassifications that have passed over it, the newest first.

    Args:
        about: the watchlists that it mentions.
    """
    asked: dict[str, Any] = {"at": document.published_at, "id": document.id, "source": document.source}
    return [Rejudging(*row) for row in connection.execute(_REJUDGED, {**asked, "about": list(about)})]


def answers_about(connection: Connection, document: WholeDocument) -> list[Answer]:
    """What people said of it, the newest first, with what they took back."""
    asked = {"id": document.id, "read_text": document.version.read_text, "most": MOST_ANSWERS}
    return [Answer(*row) for row in connection.execute(_ANSWERS, asked)]


def evidence_of(connection: Connection, document_id: str) -> list[EvidenceOf]:
    """Incidents that it was evidence for, the newest first."""
    return [EvidenceOf(*row) for row in connection.execute(_EVIDENCE, {"id": document_id, "most": MOST_INCIDENTS})]


def comment_counts(connection: Connection, document_id: str) -> Counts:
    """The documents that comment on it by sentiment, of at most `MOST_COMMENTS`."""
    found = {row[0]: int(row[1]) for row in connection.execute(_COMMENTS, {"id": document_id, "most": MOST_COMMENTS})}
    return Counts(sum(found.values()), *(found.get(one, 0) for one in SENTIMENTS))
