"""A copy-paste campaign as an incident: how loud it is, what it says, and which texts were carried."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import Connection

from alerts.detection import campaigns
from alerts.detection.campaigns import Voices
from alerts.detection.lifecycle import Episode
from alerts.rendering import messages
from alerts.rendering.excerpts import excerpt
from core.records import Severity
from storage.bucket_counts import Where
from storage.campaigns import CarriedText, carried_texts, negative_voices

SHOWN_CLUSTERS: Final = 3


@dataclass(frozen=True, slots=True)
class Campaign:
    """What the counts and documents say of a campaign's strongest window."""

    labels: dict[str, str]
    episode: Episode
    voices: Voices
    texts: list[CarriedText]

    @property
    def severity(self) -> Severity:
        return campaigns.severity(self.voices)

    def annotations(self) -> dict[str, str]:
        """Prose and figures that are kept with the incident."""
        return campaigns.annotations(
            messages.subject(self.labels),
            self.voices,
            expected=self.episode.expected,
            minutes=round(self.episode.window_seconds / 60),
            clusters=[one.carriers for one in self.texts],
        )

    def evidence(self) -> dict[str, Any]:
        """What comes to the evidence of any surge: voices, and the clusters that were carried."""
        return {
            "negative": self.voices.negative,
            "copies": self.voices.copies,
            "independent": self.voices.independent,
            "independent_share": round(self.voices.independent_share, 4),
            "clusters": [
                {
                    "cluster": one.cluster,
                    "carriers": one.carriers,
                    "documents": one.documents,
                    "first_id": one.first_id,
                    "text": excerpt(one.text),
                }
                for one in self.texts
            ],
        }


def look(connection: Connection, labels: dict[str, str], scope: Where, episode: Episode) -> Campaign:
    """Read what stands behind an episode of copies.

    Args:
        scope: the documents that the series counts (`Rule.scope`).
    """
    end = episode.window_ends_at
    start = end - timedelta(seconds=episode.window_seconds)
    voices = Voices(*negative_voices(connection, scope, start, end))
    texts = carried_texts(connection, scope, start, end, limit=SHOWN_CLUSTERS)
    return Campaign(labels, episode, voices, texts)
