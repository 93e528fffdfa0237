"""Links that open one thing without a login, for one purpose and a while: an HMAC over what and until when. Pure."""

import hashlib
import hmac
import re
from base64 import urlsafe_b64encode
from datetime import UTC, datetime

_TOKEN = re.compile(r"([0-9]{1,11})\.([A-Za-z0-9_-]{43})")


def sign(secret: bytes, purpose: str, subject: str, expires_at: datetime) -> str:
    """A token for a query string that `verify` accepts for this purpose and subject until then."""
    until = int(expires_at.timestamp())
    return f"{until}.{_mark(secret, purpose, subject, until)}"


def verify(secret: bytes, purpose: str, subject: str, token: str, now: datetime) -> bool:
    """Whether this token was made for it, and is not over."""
    found = _TOKEN.fullmatch(token)
    if found is None:
        return False
    until = int(found[1])
    is_ours = hmac.compare_digest(_mark(secret, purpose, subject, until), found[2])
    return is_ours and now.astimezone(UTC).timestamp() < until


def _mark(secret: bytes, purpose: str, subject: str, until: int) -> str:
    signed = "\0".join((purpose, subject, str(until))).encode()
    return urlsafe_b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode().rstrip("=")
