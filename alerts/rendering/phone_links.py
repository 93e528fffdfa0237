"""Links that open one incident on a phone without a login, as the console checks them. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

Path = Callable[[bytes, int, str, datetime], str]
"""Of a link, below the console's address: by secret, incident, receiver, and until when it holds."""


@dataclass(frozen=True, slots=True)
class PhoneLinks:
    """How they are made, and how long one holds after its message."""

    path: Path
    lifetime: timedelta

    def maker(self, secret: bytes, console_url: str, receiver: str, now: datetime) -> Callable[[int], str]:
        """By incident id, the link of this receiver."""
        base, until = console_url.rstrip("/"), now + self.lifetime
        return lambda incident_id: base + self.path(secret, incident_id, receiver, until)
