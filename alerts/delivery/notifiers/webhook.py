"""Webhooks: Alertmanager's body, signed, with an id to tell repeats by."""

import hashlib
import hmac
from typing import Any

import msgspec

from alerts.delivery.notifiers.answers import by_status
from alerts.delivery.notifiers.contract import Delivery
from alerts.delivery.notifiers.http import HttpSender

EVENT_TYPE = "opinion.webhook.v4"


class WebhookNotifier:
    """POSTs to one URL; what the answer says beside its status is never read."""

    def __init__(
        self, url: str, *, secret: str | None = None, allow_private: bool = False, timeout_seconds: float = 10
    ) -> None:
        self._secret = secret.encode() if secret else None
        self._http = HttpSender(url, allow_private=allow_private, timeout_seconds=timeout_seconds)

    def send(self, payload: dict[str, Any], delivery_id: str) -> Delivery:
        body = msgspec.json.encode(payload)
        headers = {
            "X-Opinion-Delivery": delivery_id,
            # CloudEvents' HTTP binding, binary mode
            "ce-specversion": "1.0",
            "ce-id": delivery_id,
            "ce-type": EVENT_TYPE,
            "ce-source": "opinion",
        }
        if self._secret is not None:
            headers["X-Opinion-Signature"] = f"sha256={sign(self._secret, body)}"
        return by_status(self._http.post(body, headers))

    def close(self) -> None:
        """Nothing is kept open."""


def sign(secret: bytes, body: bytes) -> str:
    """HMAC-SHA256 of the exact bytes of the body, in hex; receivers compute the same to know the sender."""
    return hmac.new(secret, body, hashlib.sha256).hexdigest()
