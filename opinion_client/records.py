"""What comes out of the streams. Fields that are unknown here are ignored, so a newer pipeline can be read."""

from datetime import datetime
from typing import Any, Literal

import msgspec

Kind = Literal["news", "comment", "post"]
Sentiment = Literal["negative", "neutral", "positive"]
Severity = Literal["info", "warning", "critical"]
AlertStatus = Literal["firing", "resolved"]


class Mention(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a document speaks of a watchlist.

    Attributes:
        mentions: how often one of its words stands in title and text.
        model_version: which model judged it, where that is not the document's.
    """

    watchlist: str
    mentions: int
    sentiment: Sentiment
    sentiment_scores: dict[str, float]
    sentiment_uncertain: bool = False
    model_version: str = ""


class ClassifiedDocument(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A document with the classifier's verdict; docs/reference/records.md says what each field means."""

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

    @property
    def ce_id(self) -> str:
        """Names this version of this document for good."""
        return f"{self.id}:{self.revision}"


class AlertEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One change of an incident."""

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

    @property
    def ce_id(self) -> str:
        """Names this change for good."""
        return self.delivery_id
