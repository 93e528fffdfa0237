"""What every renderer takes and gives."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import Any, Literal

from alerts.routing.grouping import Message

Language = Literal["zh", "en", "both"]
Evidence = Mapping[int, Mapping[str, Any]]
"""Frozen evidence bodies, by incident id."""


@dataclass(frozen=True, slots=True)
class RenderOptions:
    """How one receiver wants it.

    Attributes:
        receiver: its name; never a secret.
        link_only: nothing that was crawled leaves the house: kind, severity and a link.
        picture: a PNG of the leading incident, for channels that show one.
        zone: of the times that people read.
        phone_link: by incident, a link that opens it without a login; None: the console's own is given.
    """

    receiver: str
    console_url: str
    language: Language = "both"
    link_only: bool = False
    picture: bytes | None = None
    zone: tzinfo = UTC
    phone_link: Callable[[int], str] | None = None

    def link(self, incident_id: int) -> str:
        """Where the console shows an incident."""
        return f"{self.console_url.rstrip('/')}/incidents/{incident_id}"

    def link_for_people(self, incident_id: int) -> str:
        """What a person opens. Whoever gets nothing that was crawled gets no link that shows it, either."""
        if self.phone_link is None or self.link_only:
            return self.link(incident_id)
        return self.phone_link(incident_id)


Renderer = Callable[[Message, Evidence, RenderOptions], dict[str, Any]]
