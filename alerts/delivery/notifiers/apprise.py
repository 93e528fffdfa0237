"""Chat, mail and push services through apprise URLs."""

import logging
from typing import Any

import apprise

from alerts.delivery.notifiers.contract import OK, Delivery


class AppriseNotifier:
    """Sends plain text to one apprise URL. Blocks; call it off the event loop."""

    def __init__(self, url: str) -> None:
        # apprise logs where it sends; our outbox keeps the outcome, without the secrets in the URLs.
        logging.getLogger("apprise").setLevel(logging.CRITICAL)
        self._services = apprise.Apprise(asset=apprise.AppriseAsset(async_mode=False))
        self._is_known = self._services.add(url)

    def send(self, payload: dict[str, Any], delivery_id: str) -> Delivery:
        """`payload`: title, body, kind. apprise has no place for `delivery_id`, nor does it say why it failed."""
        if not self._is_known:
            return Delivery("permanent", "apprise does not know this URL; see its list of services")
        is_sent = self._services.notify(
            title=payload["title"],
            body=payload["body"],
            notify_type=apprise.NotifyType(payload["kind"]),
            body_format=apprise.NotifyFormat.TEXT,
        )
        return OK if is_sent else Delivery("retryable", "the service did not take it")

    def close(self) -> None:
        """Nothing is kept open."""
