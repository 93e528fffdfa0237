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
    """

    receiver: str
    console_url: str
    language: Language = "both"
    link_only: bool = False
    picture: bytes | None = None
    zone: tzinfo = UTC

    def link(self, incident_id: int) -> str:
        """Where the console shows an incident."""
        return f"{self.console_url.rstrip('/')}/incidents/{incident_id}"


Renderer = Callable[[Message, Evidence, RenderOptions], dict[str, Any]]
