"""Links that open one thing to whoever holds them, until a time: signed, not stored.

A token is `<expiry in seconds>.<HMAC-SHA256 over purpose, subject and expiry>`; it says nothing of the subject, which
stands in the link beside it.
"""

import base64
import hashlib
import hmac
from datetime import UTC, datetime


def sign(secret: bytes, purpose: str, subject: str, expires_at: datetime) -> str:
    """A token for this subject and no other, for this purpose and no other; fit for a query string."""
    until = int(expires_at.timestamp())
    return f"{until}.{_seal(secret, purpose, subject, until)}"


def verify(secret: bytes, purpose: str, subject: str, token: str, now: datetime) -> bool:
    """Whether `sign` made it with this secret for exactly this, and its time has not come."""
    stated, _, seal = token.partition(".")
    if not (stated.isascii() and stated.isdigit() and len(stated) <= 12 and seal.isascii()):
        return False
    until = int(stated)
    is_ours = hmac.compare_digest(_seal(secret, purpose, subject, until), seal)
    return is_ours and now.astimezone(UTC).timestamp() < until


def _seal(secret: bytes, purpose: str, subject: str, until: int) -> str:
    # Each part with its length before it: no two triples read as the same text.
    parts = (part.encode("utf-8", "surrogatepass") for part in (purpose, subject, str(until)))
    said = b"".join(len(part).to_bytes(8, "big") + part for part in parts)
    return base64.urlsafe_b64encode(hmac.digest(secret, said, hashlib.sha256)).rstrip(b"=").decode()
