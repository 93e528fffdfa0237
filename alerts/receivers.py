"""Who is told: the receivers of the settings, named so that no secret shows, and a notifier for each."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from alerts.notifiers.apprise import AppriseNotifier
from alerts.notifiers.contract import Notifier
from alerts.notifiers.kafka import KafkaNotifier
from alerts.notifiers.webhook import WebhookNotifier
from alerts.telling import Receiver
from storage.notifications import Channel


@dataclass(frozen=True, slots=True)
class ReceiverOptions:
    """Plain values of the settings."""

    kafka_bootstrap: str
    alert_topic: str
    webhooks: Sequence[str] = ()
    apprise_urls: Sequence[str] = ()
    webhook_secret: str | None = None
    allow_private_addresses: bool = False
    timeout_seconds: float = 10


def masked(channel: Channel, url: str) -> str:
    """Scheme and host of a URL with a mark that tells receivers of one host apart; path, query, user and key are
    left out, because services put their tokens there."""
    parts = urlsplit(url)
    try:
        host = f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname
    except ValueError:
        host = None
    mark = hashlib.sha256(url.encode()).hexdigest()[:8]
    # In apprise URLs even the host may be a token: tgram://<token>/, slack://<token>/...
    place = f"{parts.scheme}://{host or ''}" if channel == "webhook" else f"{parts.scheme}://"
    return f"{place}…{mark}"


def receivers(options: ReceiverOptions) -> list[Receiver]:
    """The alert topic first, then people."""
    return [
        Receiver("kafka", options.alert_topic),
        *(Receiver("webhook", masked("webhook", url)) for url in options.webhooks),
        *(Receiver("apprise", masked("apprise", url)) for url in options.apprise_urls),
    ]


def notifiers(options: ReceiverOptions) -> dict[Receiver, Notifier]:
    """One notifier per receiver; none connects before its first message."""
    made: dict[Receiver, Notifier] = {
        Receiver("kafka", options.alert_topic): KafkaNotifier(
            options.kafka_bootstrap, options.alert_topic, timeout_seconds=options.timeout_seconds
        )
    }
    for url in options.webhooks:
        made[Receiver("webhook", masked("webhook", url))] = WebhookNotifier(
            url,
            secret=options.webhook_secret,
            allow_private=options.allow_private_addresses,
            timeout_seconds=options.timeout_seconds,
        )
    for url in options.apprise_urls:
        made[Receiver("apprise", masked("apprise", url))] = AppriseNotifier(url)
    return made
