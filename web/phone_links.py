"""Links to an incident's light page: signed for one incident and one receiver, for a while."""

from datetime import datetime
from typing import Final
from urllib.parse import urlencode

from web.signed_links import sign, verify

PURPOSE: Final = "incident"


def path_of(secret: bytes, incident_id: int, receiver: str, expires_at: datetime) -> str:
    """Where a new link leads, below the console's address."""
    return path_with(incident_id, receiver, sign(secret, PURPOSE, _subject(incident_id, receiver), expires_at))


def path_with(incident_id: int, receiver: str, token: str) -> str:
    """Where a link with this token leads."""
    return f"/i/{incident_id}?{urlencode({'t': token, 'r': receiver})}"


def is_valid(secret: bytes, incident_id: int, receiver: str, token: str, now: datetime) -> bool:
    """Whether the token lets its bearer see this incident as this receiver."""
    return verify(secret, PURPOSE, _subject(incident_id, receiver), token, now)


def _subject(incident_id: int, receiver: str) -> str:
    return f"{incident_id} {receiver}"
