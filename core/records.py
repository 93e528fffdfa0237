"""What travels between processes: one struct per Kafka topic, JSON on the wire, unknown fields ignored.

Times are aware UTC. `schemas()` gives the JSON Schemas that the docs publish.
"""

from datetime import datetime
from typing import Any, Literal

import msgspec

from core.taxonomy import Head, Sentiment

Kind = Literal["news", "comment", "post"]
Severity = Literal["info", "warning", "critical"]
AlertStatus = Literal["firing", "resolved"]
IncidentState = Literal["pending", "firing", "acknowledged", "resolved"]


class Metrics(msgspec.Struct, frozen=True, omit_defaults=True):
    """How far a document travelled on its own platform."""

    likes: int = 0
    reposts: int = 0
    replies: int = 0


class Document(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`opinion.document.raw.v1`: what a crawler brings. `streams.intake` fills what may be absent.

    Attributes:
        id: `source:native_id`; derived from source and url (or the content) when empty.
        published_at: event time; the Kafka record's own timestamp when absent.
        parent_id: the document this one comments on.
        quoted_text: what a post passes on of others ("//@name:", "RT @name:", lines with ">"); `text` is then its
            author's own words, or the whole where these say nothing.
        former_id: the id that a document without one got before addresses were brought into one spelling; a
            document stored under it keeps it.
    """

    id: str = ""
    kind: Kind = "post"
    source: str = "unknown"
    url: str | None = None
    title: str | None = None
    text: str
    author: str | None = None
    lang: str | None = None
    published_at: datetime | None = None
    crawled_at: datetime | None = None
    parent_id: str | None = None
    metrics: Metrics = Metrics()
    quoted_text: str | None = None
    former_id: str | None = None


class Mention(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """That a document mentions a watchlist, and how it speaks of it.

    Attributes:
        watchlist: its name.
        mentions: how often one of its words stands in title and text.
        sentiment, sentiment_scores, sentiment_uncertain: as in `Opinion`, toward this watchlist alone.
        model_version: which model judged it, where that is not the document's: a watchlist may be new, and the
            document old.
    """

    watchlist: str
    mentions: int
    sentiment: Sentiment
    sentiment_scores: dict[str, float]
    sentiment_uncertain: bool = False
    model_version: str = ""


class Opinion(msgspec.Struct, frozen=True, kw_only=True):
    """The classifier's verdict on one document; scores sum to 1 within a head.

    Attributes:
        topic_uncertain, sentiment_uncertain: the head's best calibrated score is below `models.uncertain_below`;
            its answer is still the best there is, and counted as such.
        mentions: one for each watchlist that the document mentions, by the same model version.
    """

    topic_label: str
    topic_scores: dict[str, float]
    sentiment: Sentiment
    sentiment_scores: dict[str, float]
    model_version: str
    topic_uncertain: bool = False
    sentiment_uncertain: bool = False
    mentions: tuple[Mention, ...] = ()


class ClassifiedDocument(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`opinion.document.classified.v1`, key = id. At least once; equal redeliveries carry the same `ce_id`.

    Attributes:
        topic_uncertain, sentiment_uncertain, mentions: as in `Opinion`; absent means false, and none.
        author: a pseudonym, never a name; equal for equal names under the same key.
        quoted_text: as in `Document`.
        copy_cluster: id of the earliest document of which this one is a copy, its own where it is the earliest or
            alone. As known when it was stored: an earlier one may turn up later, see `bi.copy` for what is known now.
    """

    id: str
    kind: Kind
    source: str
    lang: str
    published_at: datetime
    url: str | None = None
    title: str | None = None
    text: str
    parent_id: str | None = None
    topic_label: str
    topic_scores: dict[str, float]
    sentiment: Sentiment
    sentiment_scores: dict[str, float]
    model_version: str
    revision: int = 0
    topic_uncertain: bool = False
    sentiment_uncertain: bool = False
    mentions: tuple[Mention, ...] = ()
    author: str | None = None
    quoted_text: str | None = None
    copy_cluster: str | None = None


class AlertEvent(msgspec.Struct, frozen=True, kw_only=True):
    """`opinion.alert.v1`, key = fingerprint: one change of an incident, as subscribers hear of it.

    Attributes:
        labels: the identity (Prometheus sense); `annotations`: prose and figures for people.
        delivery_id: stable over retries, so that a receiver can drop repeats.
    """

    delivery_id: str
    incident_id: int
    fingerprint: str
    status: AlertStatus
    severity: Severity
    labels: dict[str, str]
    annotations: dict[str, str]
    starts_at: datetime
    ends_at: datetime | None = None
    detected_at: datetime
    observed: float
    expected: float
    evidence: dict[str, Any] = {}


class Label(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`opinion.label.v1`: a person's answer for one head of one text.

    Attributes:
        document_id: a stored document; or empty, and then `text` is labelled by itself.
        guideline: version of the guideline that the annotator went by.
        seconds: how long the annotator took.
        is_adjudication: settles what annotators disagree about; it wins over their answers.
    """

    head: Head
    answer: str
    document_id: str | None = None
    text: str | None = None
    lang: str | None = None
    source: str | None = None
    annotator: str = "unknown"
    labelled_at: datetime | None = None
    guideline: str = ""
    seconds: float | None = None
    is_adjudication: bool = False


class ModelAnnouncement(msgspec.Struct, frozen=True, kw_only=True):
    """`opinion.model.v1` (compacted, key = "champion"): workers swap to `version` between two batches."""

    version: str
    path: str
    promoted_at: datetime
    reason: str = ""


RECORDS: tuple[type[msgspec.Struct], ...] = (
    Document,
    ClassifiedDocument,
    AlertEvent,
    Label,
    ModelAnnouncement,
)


def schemas() -> dict[str, Any]:
    """JSON Schema of every record, by struct name."""
    _, components = msgspec.json.schema_components(RECORDS, ref_template="#/$defs/{name}")
    return dict(components)
