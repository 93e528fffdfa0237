"""Pushes alerts to a user's Alertmanager as Prometheus does, and again while they fire."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import msgspec

from alerts.delivery.notifiers.answers import by_status
from alerts.delivery.notifiers.contract import OK, Delivery
from alerts.delivery.notifiers.http import HttpSender
from alerts.rendering.webhook import time_text
from core.clock import Clock

PATH = "/api/v2/alerts"
REPEAT_EVERY = timedelta(minutes=1)  # Prometheus' --rules.alert.resend-delay
HOLDS = 4 * REPEAT_EVERY  # Prometheus' rules/manager.go: an alert outlives a few repeats that get lost
MOST_AT_ONCE = 100


class AlertmanagerNotifier:
    """`POST /api/v2/alerts`. An alert that fires is said to end in four minutes; repeats move that on."""

    def __init__(
        self, url: str, clock: Clock, *, token: str | None = None, allow_private: bool = False, timeout_seconds: float
    ) -> None:
        """Args:
        url: of the Alertmanager, with its route prefix if it has one.
        """
        parts = urlsplit(url)
        path = parts.path.rstrip("/")
        whole = urlunsplit(parts._replace(path=path if path.endswith(PATH) else path + PATH))
        self._http = HttpSender(whole, allow_private=allow_private, timeout_seconds=timeout_seconds)
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._clock = clock

    def send(self, payload: dict[str, Any], delivery_id: str) -> Delivery:
        """`payload`: as `alerts.rendering.alertmanager` makes it. Alerts are known by their labels, so a repeat does
        no harm."""
        return self.repeat(payload["alerts"])

    def repeat(self, alerts: Sequence[dict[str, Any]]) -> Delivery:
        """Tell the alerts (again)."""
        until = time_text(self._clock.now() + HOLDS)
        for first in range(0, len(alerts), MOST_AT_ONCE):
            posted = [{"endsAt": until, **alert} for alert in alerts[first : first + MOST_AT_ONCE]]
            told = by_status(self._http.post(msgspec.json.encode(posted), self._headers))
            if told.outcome != "ok":
                return told
        return OK

    def close(self) -> None:
        """Nothing is kept open."""
