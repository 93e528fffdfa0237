"""Slack's incoming webhooks."""

from typing import Any

import msgspec

from alerts.delivery.notifiers.answers import by_status
from alerts.delivery.notifiers.contract import Delivery
from alerts.delivery.notifiers.http import HttpSender


class SlackNotifier:
    """POSTs to one webhook; its token stands in the URL. 429 says when to come back."""

    def __init__(self, url: str, *, allow_private: bool = False, timeout_seconds: float = 10) -> None:
        self._http = HttpSender(url, allow_private=allow_private, timeout_seconds=timeout_seconds)

    def send(self, payload: dict[str, Any], delivery_id: str) -> Delivery:
        """Slack knows no delivery id: after a crash in mid-delivery a message may come twice."""
        return by_status(self._http.post(msgspec.json.encode(payload), {}))

    def close(self) -> None:
        """Nothing is kept open."""
