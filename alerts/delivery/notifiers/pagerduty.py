"""PagerDuty's Events API v2."""

from typing import Any

import msgspec

from alerts.delivery.notifiers.answers import by_status
from alerts.delivery.notifiers.contract import OK, Delivery
from alerts.delivery.notifiers.http import HttpSender


class PagerDutyNotifier:
    """Sends the events one by one; `dedup_key` makes a repeat harmless."""

    def __init__(
        self, url: str, *, routing_key: str, allow_private: bool = False, timeout_seconds: float = 10
    ) -> None:
        self._routing_key = routing_key
        self._http = HttpSender(url, allow_private=allow_private, timeout_seconds=timeout_seconds)

    def send(self, payload: dict[str, Any], delivery_id: str) -> Delivery:
        """`payload`: as `alerts.rendering.pagerduty` makes it. 202 is success, 429 and 5xx are tried again."""
        for event in payload["events"]:
            body = msgspec.json.encode({"routing_key": self._routing_key, **event})
            told = by_status(self._http.post(body, {"X-Opinion-Delivery": delivery_id}))
            if told.outcome != "ok":
                return told
        return OK

    def close(self) -> None:
        """Nothing is kept open."""
